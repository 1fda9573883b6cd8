"""Booked amounts and row timestamps of a healthy run."""

from __future__ import annotations

import numpy as np

from harness.contract.names import State
from harness.evidence.records import BOOKING, STAMP, Records
from harness.evidence.run_documents import RunPlan
from harness.schedule.content import contents

COLUMNS = ("trace_hi", "trace_lo")


def bookings_of(attempts: Records, plan: RunPlan) -> Records:
    """Every signal is booked with the amount that follows from the seed."""
    found = np.zeros(len(attempts), dtype=BOOKING)
    for name in COLUMNS:
        found[name] = attempts[name]
    for agent in np.unique(attempts["agent"]).tolist():
        own = np.flatnonzero(attempts["agent"] == agent)
        indexes = (attempts["trace_lo"][own] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        amounts = contents(plan.signals, plan.seed, agent, 0, int(indexes.max()) + 1).amounts_wei
        found["trade_wei"][own] = np.array(amounts)[indexes]
    return found


def stamps_of(sightings: Records) -> Records:
    """Every row has a timestamp a millisecond before its commit."""
    final = sightings[sightings["state"] == State.SIMULATED]
    found = np.zeros(len(final), dtype=STAMP)
    for name in COLUMNS:
        found[name] = final[name]
    found["updated_us"] = final["commit_us"] - 1_000
    return found
