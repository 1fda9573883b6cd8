"""Why a promise that the sightings break is INCONCLUSIVE and not FAIL: words and figure."""

from __future__ import annotations

UNDECIDED_BY = "undecided_by"
OBSERVER, GENERATOR = "observer", "generator"
OBSERVER_TOO_SLOW = (
    "; by their commit times, or by the reads before, it could be met:"
    " the observer was too slow to tell"
)
GENERATOR_TOO_LATE = (
    "; counted from their sending it could be met: the generator was too late to tell"
)
