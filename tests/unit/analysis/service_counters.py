"""Service counters of a run, counted correctly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.names import State
from harness.evidence.records import Mode, Records

if TYPE_CHECKING:
    from tests.unit.analysis.evidence import World

# Signals counted before the run.
BEFORE = 3
_ENDS = frozenset(int(state) for state in State if state.is_final)


def counters_of(world: World) -> dict[str, Any]:
    """`metrics.json`, by the first final state of each signal, observed or in the table."""
    attempts = np.concatenate(world.attempts)
    mode_of = dict(zip(_keys(attempts), attempts["mode"].tolist(), strict=True))
    state_of: dict[tuple[int, int], int] = {}
    for records in (world.sightings, world.tasks):
        if records is None:
            continue
        for key, state in zip(_keys(records), records["state"].tolist(), strict=True):
            if state in _ENDS:
                state_of.setdefault(key, state)
    counts = Counter((state, mode_of[key]) for key, state in state_of.items() if key in mode_of)
    ends = Counter(
        {(State(state).name, Mode(mode).name.lower()): n for (state, mode), n in counts.items()}
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


def _keys(records: Records) -> Iterator[tuple[int, int]]:
    return zip(records["trace_hi"].tolist(), records["trace_lo"].tolist(), strict=True)
