"""What a service that counts well tells of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.names import State
from harness.evidence.records import Mode

if TYPE_CHECKING:
    from tests.unit.analysis.evidence import World

# Signals of before the run, which nobody asks about.
BEFORE = 3
_ENDS = frozenset(int(state) for state in State if state.is_final)


def counters_of(world: World) -> dict[str, Any]:
    """`metrics.json`, by the first end that each signal was seen to reach, or was left in."""
    attempts = np.concatenate(world.attempts)
    mode_of = {_key(row): Mode(int(row["mode"])) for row in attempts}
    left = world.tasks if world.tasks is not None else ()
    state_of: dict[tuple[int, int], State] = {}
    for row in (*world.sightings, *left):
        if int(row["state"]) in _ENDS:
            state_of.setdefault(_key(row), State(int(row["state"])))
    ends = Counter(
        (state.name, mode_of[key].name.lower()) for key, state in state_of.items() if key in mode_of
    )
    before = Counter({(State.SIMULATED.name, "lite"): BEFORE})
    quiet = {"signals": None}
    return {
        "before": {"engine": page(before), "data-processor": quiet},
        "after": {"engine": page(before + ends), "data-processor": quiet},
    }


def page(counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    """One page as it is written down."""
    return {
        "signals": [
            {"status": status, "mode": mode, "count": count}
            for (status, mode), count in sorted(counts.items())
        ]
    }


def _key(row: Any) -> tuple[int, int]:
    return int(row["trace_hi"]), int(row["trace_lo"])
