"""What became of the cases, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.studies.causes.cases import KEYS, Case
from tests.studies.causes.runs import Found, problems_of

BEGIN = "<!-- causes: written by `make causes` -->"
END = "<!-- end of causes -->"
_HEAD = ("scenario", "seed", "P99", "verdict", "headline", *KEYS, "right")


def table(outcomes: Mapping[Case, Sequence[Found]]) -> str:
    """A sentence with the sums, and a row for each run, in the order of the cases."""
    runs = [(case, found) for case, all_of_it in outcomes.items() for found in all_of_it]
    right = sum(not problems_of(case, found) for case, found in runs)
    rows = [_cells(case, found) for case, found in runs]
    return "\n".join(
        (
            f"{right} of {len(runs)} runs were diagnosed right.",
            "",
            *("| " + " | ".join(cells) + " |" for cells in (_HEAD, ["---"] * len(_HEAD), *rows)),
        )
    )


def sayings(outcomes: Mapping[Case, Sequence[Found]]) -> str:
    """The headline of the first run of each case that has one."""
    lines = []
    for case, found in outcomes.items():
        if found and found[0].diagnosis.headline:
            lines += [f"- `{case.name}`: {found[0].diagnosis.headline}"]
    return "\n".join(lines)


def put_into(document: Path, text: str) -> None:
    """Replace what stands between the marks.

    Raises:
        ValueError: the document has no marks.
    """
    old = document.read_text(encoding="utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no marks for the causes")
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _cells(case: Case, found: Found) -> tuple[str, ...]:
    p99 = "not known" if found.p99_ms is None else f"{found.p99_ms:,.0f} ms"
    answers = (found.answer(key) for key in KEYS)
    headline = found.headline or "none"
    right = "no" if problems_of(case, found) else "yes"
    return (f"`{case.name}`", str(found.seed), p99, found.verdict, headline, *answers, right)
