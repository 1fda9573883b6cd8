"""Putting defects into a worker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from zone_b.defects import decisions, delays, ledger, losses, nonces, states
from zone_b.defects.database import Database
from zone_b.defects.defect import Defect, DefectContext
from zone_b.defects.ground_truth import GroundTruth
from zone_b.defects.parts import (
    DefectiveBatches,
    DefectiveDecisionService,
    DefectiveSource,
    DefectiveStore,
)
from zone_b.defects.spec import read_defects
from zone_b.defects.triggers import TimeOrigin, Trigger
from zone_b.settings import Settings, SettingsError
from zone_b.worker_parts import WorkerParts

DEFECTS: Mapping[str, type[Defect]] = {
    "lose_before_ack": losses.LoseBeforeAck,
    "lose_after_ack": losses.LoseAfterAck,
    "stuck_row": losses.StuckRow,
    "leaves_pending": losses.LeavesPending,
    "ack_before_commit": losses.AckBeforeCommit,
    "trims_unread": losses.TrimsUnread,
    "stops_reading": losses.StopsReading,
    "process_twice": ledger.ProcessTwice,
    "final_twice": states.FinalTwice,
    "skip_nonce": nonces.SkipNonce,
    "repeat_nonce": nonces.RepeatNonce,
    "nonce_row_off": nonces.NonceRowOff,
    "nonce_missing": states.NonceMissing,
    "reorder_agent": decisions.ReorderAgent,
    "ledger_missing_entry": ledger.LedgerMissingEntry,
    "ledger_missing": ledger.LedgerMissing,
    "ledger_wrong_amount": ledger.LedgerWrongAmount,
    "ledger_unbalanced": ledger.LedgerUnbalanced,
    "ledger_undue": ledger.LedgerUndue,
    "illegal_transition": states.IllegalTransition,
    "final_overwritten": states.FinalOverwritten,
    "skips_init": states.SkipsInit,
    "row_vanishes": states.RowVanishes,
    "invents_signal": states.InventsSignal,
    "rejects_good": decisions.RejectsGood,
    "accepts_stale": decisions.AcceptsStale,
    "wrong_mode_label": decisions.WrongModeLabel,
    "clock_skewed": states.ClockSkewed,
    "slow_lock": delays.SlowLock,
    "periodic_stall": delays.PeriodicStall,
    "bimodal": delays.Bimodal,
    "slow_drift": delays.SlowDrift,
    "slow_all": delays.SlowAll,
    "capacity_cap": delays.CapacityCap,
    "cold_cache": delays.ColdCache,
    "crash_loop": losses.CrashLoop,
}


def defective(settings: Settings) -> WorkerParts:
    """Parts with the defects in them that the settings ask for.

    Raises:
        SettingsError: an unknown defect, a wrong setting, or no log for the ground truth.
    """
    specs = read_defects(settings.defects)
    for spec in specs:
        if spec.name not in DEFECTS:
            raise SettingsError(f"DEFI_DEFECTS: {spec.name} is no defect of the engine")
    if not settings.defect_log:
        raise SettingsError("DEFI_DEFECT_LOG is missing: defects leave a log of what they did")
    truth = GroundTruth(settings.defect_log)
    origin = TimeOrigin(time.monotonic_ns)
    scene = DefectContext(settings, truth, Database(settings.pg_dsn), origin)
    defects = tuple(
        DEFECTS[spec.name](
            spec, Trigger(spec.name, spec.when, origin, truth.count(spec.name)), scene
        )
        for spec in specs
    )
    return WorkerParts(
        source=partial(DefectiveSource, defects, scene),
        store=partial(DefectiveStore, defects),
        decision_service=partial(DefectiveDecisionService, defects),
        batches=partial(DefectiveBatches, defects, scene),
    )
