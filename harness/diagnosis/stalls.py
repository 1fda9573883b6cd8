"""Times in which nothing was simulated although signals waited: the engine stood still."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.measurement import ThroughputFigures
from harness.diagnosis.spans import Spans, merge_spans
from harness.diagnosis.thresholds import STALL_IN_FLIGHT_SHARE, STALL_SHARE


def find_stalls(seconds: Sequence[ThroughputFigures], measured: Spans) -> Spans:
    """Stretches of the measured load without a transition, to the length of an interval.

    One counts when next to nothing of what is usual was simulated in it while about as many
    signals were open at its end as usually come in half of an interval: where nothing comes,
    nothing can be simulated.
    """
    own = [one for one in seconds if any(a <= one.start_s < b for a, b in measured)]
    usual = float(np.median([one.simulated for one in own])) if own else 0.0
    if usual < 1 / STALL_SHARE:
        return ()  # so few are simulated in an interval that one without any is no wonder
    return merge_spans(
        (one.start_s, one.start_s + one.length_s)
        for one in own
        if one.simulated <= STALL_SHARE * usual and one.in_flight >= STALL_IN_FLIGHT_SHARE * usual
    )
