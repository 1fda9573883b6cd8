"""Whether the backup policy keeps the backups that it must, and whether they can be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.evidence.backup_log import BackupLog, BackupRecord, RestoreRecord, TableChecksum
from harness.faults.kinds.backup import Backup
from harness.formatting import format_count, format_duration
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec
from harness.judge.verdict import Verdict

BACKUPS_RESTORED = CheckSpec(
    "backups_restored",
    "backups retained and restorable",
    CheckKind.INTEGRITY,
    fail="the folder holds other backups than the policy keeps, or one restores other rows",
    invalid="not every backup, removal and restore of the plan took place",
)
_EXAMPLES_MAX = 20
_HINT = (
    "see the reason; a longer load, or fewer days or a longer day_s, leave time for every backup"
)


def check_backups(case: CheckContext) -> Iterator[Check]:
    """That the right backups stay, and that those restored hold what their snapshots held.

    What was not exercised is INVALID, what went wrong a FAIL; nothing where no backup is planned.
    """
    policy = next((fault for fault in case.scenario.fault if isinstance(fault, Backup)), None)
    if policy is None:
        return
    log = case.analysis.faults.backups or BackupLog()
    wrong = [*_misplaced(policy, log.backups), *_differing(log)]
    lacking = list(_lacking(policy, log))
    verdict = Verdict.FAIL if wrong else Verdict.INVALID if lacking else Verdict.PASS
    done = [one for one in log.backups if not one.trouble]
    yield BACKUPS_RESTORED.judged(
        verdict,
        "; ".join((*wrong, *lacking)[:5]) or _format_passed(done, log.restored),
        {
            "taken": len(done),
            "kept": len(done[-1].there) if done else 0,
            "took_max_ns": max((one.took_ns for one in done), default=None),
            "restore_max_ns": max((one.took_ns for one in log.restored), default=None),
            "size_bytes": done[-1].size_bytes if done else None,
        },
        examples=tuple((*wrong, *lacking)[:_EXAMPLES_MAX]),
        hint=_HINT if verdict is Verdict.INVALID else "",
    )


def _misplaced(policy: Backup, backups: tuple[BackupRecord, ...]) -> Iterator[str]:
    """Days after which the folder held another set than the newest so many."""
    done: list[str] = []
    for one in backups:
        if one.trouble:
            continue
        done.append(one.name)
        due, there = set(done[-policy.keep :]), set(one.there)
        if gone := sorted(due - there):
            yield f"after {one.name} the backup {', '.join(gone[:3])} was gone and should be kept"
        if more := sorted(there - due):
            yield f"after {one.name} the backup {', '.join(more[:3])} was there and should be gone"


def _differing(log: BackupLog) -> Iterator[str]:
    """Restores that failed, and tables that are not what they were."""
    by_name = {one.name: one for one in log.backups if not one.trouble}
    for one in log.restored:
        if one.trouble:
            yield f"{one.name} cannot be restored: {one.trouble}"
        elif one.name in by_name:
            yield from _tables(one.name, by_name[one.name].tables, one.tables)


def _tables(
    name: str, then: Mapping[str, TableChecksum], now: Mapping[str, TableChecksum]
) -> Iterator[str]:
    for table in sorted(then.keys() | now.keys()):
        before, after = then.get(table), now.get(table)
        if before is None or after is None:
            which = "restored" if after is None else "in the snapshot"
            yield f"{name}: table {table} is not {which}"
        elif before.rows != after.rows:
            yield (
                f"{name}: table {table} had {format_count(before.rows, 'row')} and has"
                f" {format_count(after.rows, 'row')} restored"
            )
        elif before != after:
            yield f"{name}: table {table} has other values restored than it had"


def _lacking(policy: Backup, log: BackupLog) -> Iterator[str]:
    """What was not exercised, so that nothing follows from what was."""
    done = [one for one in log.backups if not one.trouble]
    for one in log.backups:
        if one.trouble:
            yield f"{one.name} was not made: {one.trouble}"
    if len(done) < policy.days:
        yield f"{format_count(len(done), 'backup')} made, asked for {policy.days:,}"
    if not any(one.pruned for one in done):
        yield "no backup was ever removed"
    if done:
        yield from _unrestored(policy, done, log.restored)


def _unrestored(
    policy: Backup, done: list[BackupRecord], restored: tuple[RestoreRecord, ...]
) -> Iterator[str]:
    """What keeps the restores from proving anything."""
    names = {one.name for one in restored}
    for name in sorted(names - {one.name for one in done}):
        yield f"{name} was restored, and there is no record that it was made"
    asked = (done[-1], done[-policy.keep :][0])
    for which, one in zip(("newest", "oldest"), asked, strict=True):
        if one.name not in names:
            yield f"the {which} that was kept, {one.name}, was not restored"
    if _rows(asked[0].tables) == 0:
        yield "the newest backup holds no row"
    if asked[0].tables == asked[1].tables:
        yield "nothing changed from the oldest to the newest: there was no load"


def _rows(tables: Mapping[str, TableChecksum]) -> int:
    return sum(one.rows for one in tables.values())


def _format_passed(done: list[BackupRecord], restored: tuple[RestoreRecord, ...]) -> str:
    newest = done[-1]
    into = ", ".join(
        f"{one.name} ({format_count(_rows(one.tables), 'row')} in"
        f" {format_count(len(one.tables), 'table')})"
        for one in restored
    )
    return (
        f"{format_count(len(done), 'backup')} made, each within"
        f" {format_duration(max(one.took_ns for one in done))}, the newest {len(newest.there):,}"
        f" kept after each; restored into a new PostgreSQL {restored[0].server}: {into}, every row"
        " as it was at the snapshot's moment"
    )


CHECKS = ((check_backups, (BACKUPS_RESTORED,)),)
