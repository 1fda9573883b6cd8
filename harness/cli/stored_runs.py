"""`harness runs`, `harness rm`, `harness prune`: what lies in a folder of reports."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.completion import complete_runs
from harness.cli.console import make_console, print_line
from harness.cli.options import REPORTS, duration_option
from harness.cli.standard_streams import emit
from harness.clock import NS_PER_S, SystemClock
from harness.errors import UsageError, choice_hint
from harness.evidence.stored_runs import (
    StoredRun,
    find_stored,
    remove,
    stored_runs,
)

VERDICTS = (
    "PASS", "FAIL", "INCONCLUSIVE", "INVALID",
    "SAME", "SLOWER", "FASTER", "CANNOT_TELL",
    "SIGNED_OFF", "NOT_SIGNED_OFF", "INDICATIVE",
)  # fmt: skip

# From this width on the list has columns for what a run's id says only in part.
WIDE_COLUMNS = 110

Reports = Annotated[Path, typer.Option(help="Folder of runs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")]


def runs(
    reports: Reports = REPORTS,
    verdict: Annotated[
        list[str] | None, typer.Option(help="Only these, such as FAIL; may be repeated.")
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="Only runs of this scenario.")] = None,
    since: Annotated[
        float | None, duration_option("Only runs that began in this time: 12h, 7d.")
    ] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only the newest N.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the runs and experiments of a folder, the newest first.

    The verdict is the stored one; harness judge RUN judges the evidence again.
    """
    found = _select(_stored(reports), verdict or (), scenario, since)[:last]
    if as_json:
        emit(json.dumps([_row(one) for one in found], indent=1) + "\n")
        return
    _print_table(found, reports)


def rm(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Ids or folders.", autocompletion=complete_runs),
    ],
    reports: Reports = REPORTS,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Remove runs or experiments with all their evidence."""
    now_ns = SystemClock().wall_ns()
    found = [find_stored(name, reports, now_ns) for name in dict.fromkeys(names)]
    _remove(found, yes=yes, dry_run=dry_run)


def prune(
    reports: Reports = REPORTS,
    keep: Annotated[int | None, typer.Option(min=0, help="Keep the newest N.")] = None,
    older_than: Annotated[
        float | None, duration_option("Remove what began longer ago: 30d, 12h.")
    ] = None,
    keep_verdict: Annotated[
        list[str] | None, typer.Option(help="Keep these whatever their age; may be repeated.")
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="Only runs of this scenario.")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Remove old runs and experiments; with --keep and --older-than what both name.

    Folders without a time in their names, and runs that are being written, are kept.
    """
    if keep is None and older_than is None:
        raise UsageError(
            "does not say what to remove",
            where="harness prune",
            hint="--keep 20, --older-than 30d, or both",
        )
    found = [one for one in _select(_stored(reports), (), scenario, None) if one.began]
    kept = _known(keep_verdict or ())
    old = [one for one in found[keep or 0 :] if one.verdict not in kept and not one.is_written]
    if older_than is not None:
        oldest = _utc(SystemClock().wall_ns() / NS_PER_S - older_than)
        old = [one for one in old if one.began < oldest]
    _remove(old, yes=yes, dry_run=dry_run)


def _stored(reports: Path) -> list[StoredRun]:
    return stored_runs(reports, SystemClock().wall_ns())


def _select(
    found: Sequence[StoredRun], verdicts: Sequence[str], scenario: str | None, since_s: float | None
) -> list[StoredRun]:
    wanted = _known(verdicts)
    after = "" if since_s is None else _utc(SystemClock().wall_ns() / NS_PER_S - since_s)
    known = {one.scenario for one in found}
    if scenario is not None and known and scenario not in known:
        raise UsageError(
            f"there is no run of {scenario!r}",
            where="--scenario",
            hint=choice_hint(scenario, known),
        )
    return [
        one
        for one in found
        if (not wanted or one.verdict in wanted)
        and scenario in (None, one.scenario)
        and one.began >= after
    ]


def _known(verdicts: Sequence[str]) -> frozenset[str]:
    found = frozenset(one.upper().replace(" ", "_").replace("-", "_") for one in verdicts)
    for one in sorted(found - frozenset(VERDICTS)):
        raise UsageError(
            f"there is no verdict {one[:40]!r}",
            where="--verdict",
            hint=choice_hint(one, VERDICTS),
        )
    return found


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(0.0, seconds)))


def _row(one: StoredRun) -> dict[str, Any]:
    return {
        "run_id": one.run_id,
        "kind": one.kind,
        "began": one.began or None,
        "scenario": one.scenario or None,
        "stack": one.stack or None,
        "verdict": one.verdict or None,
        "p99_ns": one.p99_ns,
        "size_bytes": one.size_bytes,
        "is_written": one.is_written,
        "path": str(one.path),
    }


def _print_table(found: Sequence[StoredRun], reports: Path) -> None:
    from rich.table import Table  # slow to import

    from harness.formatting import format_bytes, format_count, format_duration

    console = make_console()
    if not found:
        print_line(console, f"no run in {reports}")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    is_wide = console.width >= WIDE_COLUMNS
    table.add_column("run", overflow="fold")
    heads = ("kind", *(("began", "scenario", "stack") if is_wide else ()), "verdict")
    for head in heads:
        table.add_column(head, no_wrap=True)
    for head in ("P99", "size"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in found:
        verdict = one.verdict.replace("_", " ") or ("running" if one.is_written else "none")
        p99 = "-" if one.p99_ns is None else format_duration(one.p99_ns)
        more = (one.began or "-", one.scenario or "-", one.stack or "-") if is_wide else ()
        table.add_row(one.run_id, one.kind, *more, verdict, p99, format_bytes(one.size_bytes))
    console.print(table)
    total = format_bytes(sum(one.size_bytes for one in found))
    print_line(console, f"{format_count(len(found), 'entry', 'entries')}, {total}")


def _remove(found: Sequence[StoredRun], *, yes: bool, dry_run: bool) -> None:
    from harness.formatting import format_bytes, format_count

    console = make_console()
    total = f"{format_count(len(found), 'entry', 'entries')},"
    total += f" {format_bytes(sum(one.size_bytes for one in found))}"
    for one in found:
        print_line(console, f"{one.run_id}  {format_bytes(one.size_bytes)}")
    if not found or dry_run:
        print_line(console, f"would be removed: {total}" if found else "nothing to remove")
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"remove {total}?")):
        raise UsageError("nothing was removed", where="harness", hint="add --yes to remove it")
    for one in found:
        remove(one)
    print_line(console, f"removed: {total}")
