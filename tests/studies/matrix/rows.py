"""The matrix: which defect is switched on how, and what must find it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Named = Literal["signals", "addresses", "number", "nothing"]


@dataclass(frozen=True, slots=True)
class Row:
    """One defect, and the result that a run with it must have.

    Attributes:
        defect: as given to `--defect`.
        found_by: name of the check that must be red.
        named: what the check must name: exactly the signals of the ground truth, their addresses,
            as many as there are, or nothing, where a defect concerns no signal in particular.
        verdict: of the whole run.
        settings: as given to `--set`.
        missing: why the row is not found; empty for one that is.
    """

    defect: str
    found_by: str
    named: Named = "signals"
    verdict: str = "FAIL"
    settings: tuple[str, ...] = ()
    missing: str = ""

    @property
    def name(self) -> str:
        """The defect alone."""
        return self.defect.partition(":")[0]

    @property
    def how(self) -> str:
        """Its rate or schedule and its settings."""
        return self.defect.partition(":")[2]


LOST = "signals_lost"
TWICE = "effects_duplicated"
NONCES = "nonces_contiguous"
LEDGER = "ledger_balanced"
FSM = "fsm_transitions"
TABLE = "final_rows_match"
LEFT = "stream_drained"
LATENCY = "latency_p99"

# Reachable on a busy host without a defect, far below what the defects below do.
_P99 = "p99 < 150 ms"
_OBJECTIVE = (f'objectives=["{_P99}"]',)

ROWS = (
    Row("lose_before_ack:rate=0.03", LOST),
    Row("lose_after_ack:rate=0.03", LOST),
    Row("stuck_row:rate=0.03", LOST),
    Row("leaves_pending:rate=0.03", LEFT),
    Row("ack_before_commit:after_s=2,times=1", LOST),
    Row("trims_unread:after_s=2,every_s=60,keep=5", "stream_trimmed"),
    Row("stops_reading:after_s=3", LOST, "nothing"),
    Row("process_twice:rate=0.03", TWICE),
    Row("final_twice:rate=0.03", TWICE),
    Row("skip_nonce:rate=0.03", NONCES, "addresses"),
    Row("repeat_nonce:rate=0.03", NONCES),
    Row("nonce_row_off:rate=0.3", NONCES, "addresses"),
    Row("nonce_missing:rate=0.03", NONCES),
    Row(
        "reorder_agent:rate=0.03,gather_ms=60",
        "nonce_order",
        settings=("load.stages.0.agents=3",),
    ),
    Row("ledger_missing_entry:rate=0.03", LEDGER),
    Row("ledger_missing:rate=0.03", LEDGER),
    Row("ledger_wrong_amount:rate=0.03", "ledger_amounts"),
    Row("ledger_unbalanced:rate=0.03", LEDGER),
    Row("ledger_undue:rate=0.5", LEDGER, settings=("signals.stale_share=0.1",)),
    Row("illegal_transition:rate=0.03", FSM),
    Row("final_overwritten:rate=0.03", TABLE),
    Row("skips_init:rate=0.03", FSM),
    Row("row_vanishes:rate=0.03", TABLE),
    Row("invents_signal:rate=0.03", "effects_unexpected"),
    Row("rejects_good:rate=0.1", "rejected_share", "nothing"),
    Row(
        "accepts_stale:rate=0.5",
        "stale_refused",
        settings=("signals.stale_share=0.1",),
    ),
    Row("wrong_mode_label:rate=0.03", "mode_counters", "number"),
    Row("clock_skewed:rate=0.03,skew_s=5", "row_timestamps"),
    Row("slow_lock:every_s=1,hold_s=0.8", LATENCY, "nothing", settings=_OBJECTIVE),
    Row("periodic_stall:after_s=1,every_s=3,for_s=1.2", LATENCY, "nothing", settings=_OBJECTIVE),
    Row(
        "bimodal:rate=0.06,delay_s=1",
        LATENCY,
        "nothing",
        settings=(*_OBJECTIVE, "engine.workers=1"),
    ),
    Row("slow_drift:grow_ms=100", LATENCY, "nothing", settings=_OBJECTIVE),
    Row("slow_all:delay_ms=400", LATENCY, "nothing", settings=_OBJECTIVE),
    Row("capacity_cap:per_s=40", LATENCY, "nothing", settings=(*_OBJECTIVE, "load.drain_s=8")),
    Row(
        "cold_cache:cost_ms=18",
        LATENCY,
        "nothing",
        settings=(*_OBJECTIVE, "engine.workers=1", "load.drain_s=8"),
    ),
    Row("slow_rpc:delay_ms=80", LATENCY, "nothing", settings=(*_OBJECTIVE, "chain.nodes=2")),
    Row("crash_loop:after_s=2", "unplanned_events", "nothing", "INVALID"),
)
