"""Faults of real runs as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.faults.fault_figures import FaultFigures
from harness.assessment.assess import assess
from harness.clock import NS_PER_S
from harness.evidence.run_folder import RunFolder
from harness.formatting import format_duration_fixed
from harness.report.faults import recovery_of

HEAD = (
    "| stack | fault | times | seen within | first signal | backlog gone | lost | duplicated"
    " | refused | verdict | proven by |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One fault and what became of it; lost, duplicated and refused are those of its whole run.

    Times are ns, None where nobody saw it.
    """

    stack: str
    fault: str
    seen_ns: int | None
    first_ns: int | None
    backlog_ns: int | None
    lost: int
    duplicated: int
    refused: int
    verdict: str
    seen: str

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost or done twice, and the run could be judged."""
        return self.verdict == "PASS" and not self.lost and not self.duplicated


def rows_of(path: Path) -> list[Row]:
    """A row for each fault of a run, from its evidence alone."""
    folder = RunFolder.open(path)
    found = assess(folder)
    stack = str(folder.read_json(folder.stack).get("kind", "?"))
    measurement, verdict = found.measurement, found.judgement.verdict.name
    rows = []
    for fault in measurement.faults:
        recovery = recovery_of(fault, measurement)
        lasting = f" for {fault.for_s:g} s" if fault.for_s else ""
        seen_ns = None
        if fault.injected_s is not None and fault.proven_s is not None:
            seen_ns = round((fault.proven_s - fault.injected_s) * NS_PER_S)
        rows.append(
            Row(
                stack=stack,
                fault=f"{fault.name}{lasting}",
                seen_ns=seen_ns,
                first_ns=recovery.first_ns if recovery else None,
                backlog_ns=recovery.backlog_ns if recovery else None,
                lost=measurement.account.lost,
                duplicated=measurement.duplicated,
                refused=measurement.account.refused,
                verdict=verdict,
                seen="; ".join(
                    w for w in (fault.seen, fault.answer, fault.seen_healed, fault.trouble) if w
                ),
            )
        )
    return rows


def _detail_texts(fault: FaultFigures) -> tuple[str, ...]:
    return (fault.seen, fault.answer, fault.seen_healed, fault.trouble)


def table(rows: Iterable[Row]) -> str:
    """A line for each fault of a stack, with the worst of its times."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.stack, row.fault), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0] != "process", item[0][1]))
    return "\n".join([HEAD, *(_line(group) for _, group in ordered)]) + "\n"


def _line(group: list[Row]) -> str:
    first = group[0]
    cells = (
        first.stack,
        first.fault,
        str(len(group)),
        _worst([row.seen_ns for row in group]),
        _worst([row.first_ns for row in group]),
        _worst([row.backlog_ns for row in group]),
        str(sum(row.lost for row in group)),
        str(sum(row.duplicated for row in group)),
        str(max(row.refused for row in group)),
        ", ".join(sorted({row.verdict for row in group})),
        first.seen,
    )
    return f"| {' | '.join(cells)} |"


def _worst(times: list[int | None]) -> str:
    known = [time for time in times if time is not None]
    return format_duration_fixed(max(known)) if len(known) == len(times) else "never"
