"""The backup policy in the judgement: what was kept, what came back, what was never tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.evidence.backup_log import BackupLog, BackupRecord, RestoreRecord, TableChecksum
from harness.evidence.fault_log import FaultRecord
from harness.faults.backup.check import BACKUPS_RESTORED
from harness.faults.backup.retention import name_of, retained
from harness.judge.check import Check
from harness.judge.verdict import Verdict
from harness.scenario import Scenario
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy
from tests.unit.judge.assessing import assessed, unclean

DAYS, KEPT = 6, 3
FAULT = {"kind": "backup", "at_s": 3, "days": DAYS, "keep": KEPT, "day_s": 1.0}
AT_NS = T0_NS + 4 * S
TASKS, LOCKS = "public.trade_tasks", "public.nonce_locks"
Spoil = Callable[[BackupLog], BackupLog]


def tables_at(day: int) -> dict[str, TableChecksum]:
    """What the database held on a day; it grows."""
    return {
        TASKS: TableChecksum(rows=10 * day, digest=str(day)),
        LOCKS: TableChecksum(rows=2, digest="9"),
    }


def honest() -> BackupLog:
    """Six days of which the last three are kept; the oldest and the newest are restored."""
    there: frozenset[str] = frozenset()
    records = []
    for day in range(1, DAYS + 1):
        now = retained(there | {name_of(day)}, KEPT)
        records.append(
            BackupRecord(
                day=day,
                name=name_of(day),
                began_ns=AT_NS + day * S,
                took_ns=200 * MS,
                size_bytes=1_000,
                tables=tables_at(day),
                pruned=tuple(sorted(there - now)),
                there=tuple(sorted(now)),
            )
        )
        there = now
    restored = tuple(
        RestoreRecord(name=name_of(day), took_ns=300 * MS, server="16.14", tables=tables_at(day))
        for day in (4, 6)
    )
    return BackupLog(tuple(records), restored)


def backup_log(log: BackupLog, place: int, **changes: object) -> BackupLog:
    """With another record of one day."""
    found = list(log.backups)
    found[place] = found[place].model_copy(update=changes)
    return BackupLog(tuple(found), log.restored)


def restored(log: BackupLog, place: int, **changes: object) -> BackupLog:
    """With another record of one restore."""
    found = list(log.restored)
    found[place] = found[place].model_copy(update=changes)
    return BackupLog(log.backups, tuple(found))


def of_a_row_less(log: BackupLog) -> BackupLog:
    """One row was not restored."""
    return restored(log, 1, tables={**tables_at(6), TASKS: TableChecksum(rows=59, digest="5")})


def judged(log: BackupLog | None, path: Path) -> tuple[Check, dict[str, Verdict]]:
    """The check, and all that is not clean."""
    world: World = healthy(None, "recovery < 15 s")
    document = {**world.scenario.model_dump(mode="json"), "fault": [FAULT]}
    world.scenario = Scenario.model_validate(document)
    end_ns = AT_NS + DAYS * S
    record = FaultRecord(
        number=0,
        kind="backup",
        target="postgres",
        planned_ns=AT_NS,
        for_ns=DAYS * S,
        injected_ns=AT_NS,
        proven_ns=AT_NS + MS,
        held_ns=end_ns,
        healed_ns=end_ns,
        heal_proven_ns=end_ns + MS,
    )
    world.faults, world.backups = [record], log
    found = assessed(world, path)
    check = next(check for check in found.judgement.checks if check.id == BACKUPS_RESTORED.id)
    return check, unclean(found)


def test_an_honest_policy_is_clean(tmp_path: Path) -> None:
    """With its figures."""
    check, found = judged(honest(), tmp_path)
    assert found == {}
    assert "6 backups made" in check.message
    assert (
        "day-0004.dump (42 rows in 2 tables), day-0006.dump (62 rows in 2 tables)" in check.message
    )
    assert check.figures["taken"] == DAYS
    assert check.figures["kept"] == KEPT
    assert check.figures["took_max_ns"] == 200 * MS


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (of_a_row_less, "had 60 rows and has 59 rows restored"),
        (
            lambda b: restored(
                b, 0, tables={**tables_at(4), LOCKS: TableChecksum(rows=2, digest="8")}
            ),
            "has other values restored",
        ),
        (lambda b: restored(b, 0, tables={TASKS: tables_at(4)[TASKS]}), "is not restored"),
        (
            lambda b: restored(
                b, 0, tables={**tables_at(4), "x.y": TableChecksum(rows=0, digest="0")}
            ),
            "x.y is not in the snapshot",
        ),
        (lambda b: restored(b, 1, trouble="StackError: pg_restore"), "cannot be restored"),
        (
            lambda b: backup_log(b, 4, there=(name_of(3), name_of(5))),
            "backup day-0004.dump was gone and should be kept",
        ),
        (
            lambda b: backup_log(b, 3, there=tuple(name_of(day) for day in (1, 2, 3, 4))),
            "backup day-0001.dump was there and should be gone",
        ),
    ],
)
def test_what_went_wrong_is_a_fail(spoil: Spoil, text: str, tmp_path: Path) -> None:
    """The wrong ones were kept, or what came back is something else."""
    check, found = judged(spoil(honest()), tmp_path)
    assert found[BACKUPS_RESTORED.id] is Verdict.FAIL
    assert text in check.message


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda b: BackupLog(b.backups[:5], b.restored), "5 backups made, asked for 6"),
        (lambda b: backup_log(b, 5, trouble="OperationalError: gone"), "was not made"),
        (lambda b: BackupLog(b.backups, b.restored[:1]), "the newest that was kept"),
        (lambda b: BackupLog(b.backups, b.restored[1:]), "the oldest that was kept"),
        (lambda b: BackupLog(b.backups, ()), "was not restored"),
        (lambda b: restored(b, 1, name=name_of(99)), "there is no record that it was made"),
        (
            lambda b: BackupLog(
                tuple(one.model_copy(update={"tables": tables_at(6)}) for one in b.backups),
                tuple(one.model_copy(update={"tables": tables_at(6)}) for one in b.restored),
            ),
            "there was no load",
        ),
        (
            lambda b: BackupLog(
                tuple(one.model_copy(update={"tables": {}}) for one in b.backups),
                tuple(one.model_copy(update={"tables": {}}) for one in b.restored),
            ),
            "holds no row",
        ),
        (
            lambda b: BackupLog(
                tuple(one.model_copy(update={"pruned": ()}) for one in b.backups), b.restored
            ),
            "was ever removed",
        ),
    ],
)
def test_what_was_not_tried_is_invalid(spoil: Spoil, text: str, tmp_path: Path) -> None:
    """It proves nothing, whatever the rest says."""
    check, found = judged(spoil(honest()), tmp_path)
    assert found[BACKUPS_RESTORED.id] is Verdict.INVALID
    assert text in check.message


def test_lost_evidence_is_invalid(tmp_path: Path) -> None:
    """As that of a policy of which nothing was written down."""
    for name, log in (("none", None), ("empty", BackupLog())):
        _, found = judged(log, tmp_path / name)
        assert found[BACKUPS_RESTORED.id] is Verdict.INVALID
