"""Defects of an RPC node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count

from zone_b.defects.ground_truth import GroundTruth
from zone_b.defects.spec import read_defects
from zone_b.defects.triggers import TimeOrigin, Trigger
from zone_b.settings import Settings, SettingsError

SLOW_RPC = "slow_rpc"


def slow_rpc(
    settings: Settings,
    wait_s: Callable[[float], None] = time.sleep,
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> Callable[[], None]:
    """What holds up each answer of a node; for many threads. Its first act is noted.

    Args:
        settings: with the defect and its log.
        wait_s: holds one answer up.
        now_ns: monotonic clock.

    Raises:
        SettingsError: another defect is asked for, or no log is named.
    """
    specs = read_defects(settings.defects)
    if [spec.name for spec in specs] != [SLOW_RPC]:
        raise SettingsError(f"DEFI_DEFECTS: a node can have {SLOW_RPC} only")
    if not settings.defect_log:
        raise SettingsError("DEFI_DEFECT_LOG is missing: defects leave a log of what they did")
    (spec,) = specs
    delay_s = spec.settings["delay_ms"] / 1000
    truth = GroundTruth(settings.defect_log)
    origin = TimeOrigin(now_ns)
    moments = Trigger(spec.name, spec.when, origin)
    lock = threading.Lock()
    questions = count()
    noted = False

    def hold_up() -> None:
        nonlocal noted
        with lock:
            origin.begin()
            struck = moments.strikes(str(next(questions)))
            if struck and not noted:
                noted = True
                truth.note(spec.name)
        if struck:
            wait_s(delay_s)

    return hold_up
