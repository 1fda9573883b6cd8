"""Service counters of a run, counted correctly."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.names import State
from harness.evidence.records import Mode
from tests.unit.analysis.trace_keys import keys

if TYPE_CHECKING:
    from tests.unit.analysis.evidence import World

# Signals counted before the run.
BEFORE = 3
_ENDS = [int(state) for state in State if state.is_final]


def counters_of(world: World) -> dict[str, Any]:
    """`metrics.json`, by the first final state of each signal, observed or in the table."""
    attempts = np.concatenate(world.attempts)
    ended = [
        records[np.isin(records["state"], _ENDS)]
        for records in (world.sightings, world.tasks)
        if records is not None
    ]
    traces = np.concatenate([keys(records) for records in ended] or [keys(attempts)[:0]])
    states = np.concatenate([records["state"] for records in ended] or [attempts["mode"][:0]])
    sent, first_sent = np.unique(keys(attempts), return_index=True)
    seen, first_seen = np.unique(traces, return_index=True)
    _, at_seen, at_sent = np.intersect1d(seen, sent, assume_unique=True, return_indices=True)
    counts = Counter(
        zip(
            states[first_seen[at_seen]].tolist(),
            attempts["mode"][first_sent[at_sent]].tolist(),
            strict=True,
        )
    )
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
