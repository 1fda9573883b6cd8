"""The matrix as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.studies.matrix.naming import naming_of
from tests.studies.matrix.rows import Row
from tests.studies.matrix.runs import Outcome

BEGIN = "<!-- matrix: written by `make matrix` -->"
END = "<!-- end of matrix -->"
_SAID_CHARS = 110
_HEAD = (
    ("defect", "switched on with", "expected", "found", "by", "saying", "named right"),
    ("clean run", "found", "alarms"),
)


@dataclass(frozen=True, slots=True)
class Clean:
    """A run without any defect.

    Attributes:
        name: what was run.
        outcome: its result.
    """

    name: str
    outcome: Outcome

    @property
    def good(self) -> bool:
        """Whether nothing was red: a percentile without an answer is no alarm."""
        undecided = [c for c in self.outcome.alarms if c["kind"] == "objective"]
        return self.outcome.verdict in {"PASS", "INCONCLUSIVE"} and (
            len(undecided) == len(self.outcome.alarms)
        )


def problems_of(row: Row, outcome: Outcome) -> list[str]:
    """Why a row is not found as it should be; empty if it is."""
    problems = []
    if outcome.verdict != row.verdict:
        problems.append(f"the verdict is {outcome.verdict}, not {row.verdict}")
    check = outcome.named(row.found_by)
    if check is None:
        problems.append(f"no check is called {row.found_by!r}")
    elif check["status"] != row.verdict:
        problems.append(f"{row.found_by!r} says {check['status']}: {check['message']}")
    naming = naming_of(row, outcome)
    if not naming.right:
        problems.append(f"named: {naming.said}")
    return problems


def table(rows: Sequence[tuple[Row, Outcome]], clean: Sequence[Clean]) -> str:
    """Both tables and a sentence over each."""
    caught = sum(not problems_of(row, outcome) for row, outcome in rows)
    passed = sum(run.good for run in clean)
    return "\n".join(
        (
            f"{caught} of {len(rows)} defects were caught with the right verdict, by the check that"
            " must find them, and with the right signals named.",
            "",
            *_markdown(_HEAD[0], (_row_cells(row, outcome) for row, outcome in rows)),
            "",
            f"{passed} of {len(clean)} runs without a defect raised no alarm.",
            "",
            *_markdown(_HEAD[1], (_clean_cells(run) for run in clean)),
        )
    )


def put_into(document: Path, text: str) -> None:
    """Replace what stands between the marks.

    Raises:
        ValueError: the document has no marks.
    """
    old = document.read_text(encoding="utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no marks for the matrix")
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _row_cells(row: Row, outcome: Outcome) -> tuple[str, ...]:
    check = outcome.named(row.found_by)
    said = check["message"] if check is not None else row.missing or "there is no such check"
    caught = check is not None and check["status"] == row.verdict
    return (
        f"`{row.name}`",
        f"`{row.how}`" if row.how else "",
        row.verdict,
        outcome.verdict,
        row.found_by if caught else f"NOT by {row.found_by}",
        _short(said),
        naming_of(row, outcome).said,
    )


def _clean_cells(run: Clean) -> tuple[str, ...]:
    alarms = "; ".join(f"{check['name']}: {check['message']}" for check in run.outcome.alarms)
    return run.name, run.outcome.verdict, _short(alarms) or "none"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines]


def _short(text: str) -> str:
    return text if len(text) <= _SAID_CHARS else text[: _SAID_CHARS - 3].rstrip() + "..."
