"""Service counters of a run, counted correctly."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.names import State
from harness.evidence.records import Mode

if TYPE_CHECKING:
    from tests.unit.analysis.evidence import World

# Signals counted before the run.
BEFORE = 3
_ENDS = frozenset(int(state) for state in State if state.is_final)


def counters_of(world: World) -> dict[str, Any]:
    """`metrics.json`, by the first final state of each signal, observed or in the table."""
    attempts = np.concatenate(world.attempts)
    mode_of = {_key(row): Mode(int(row["mode"])) for row in attempts}
    rows = world.tasks if world.tasks is not None else ()
    state_of: dict[tuple[int, int], State] = {}
    for row in (*world.sightings, *rows):
        if int(row["state"]) in _ENDS:
            state_of.setdefault(_key(row), State(int(row["state"])))
    ends = Counter(
        (state.name, mode_of[key].name.lower()) for key, state in state_of.items() if key in mode_of
    )
    before = Counter({(State.SIMULATED.name, "lite"): BEFORE})
    empty = {"signals": None}
    return {
        "before": {"engine": page(before), "data-processor": empty},
        "after": {"engine": page(before + ends), "data-processor": empty},
    }


def page(counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    """One page as it is stored."""
    return {
        "signals": [
            {"status": status, "mode": mode, "count": count}
            for (status, mode), count in sorted(counts.items())
        ]
    }


def _key(row: Any) -> tuple[int, int]:
    return int(row["trace_hi"]), int(row["trace_lo"])
