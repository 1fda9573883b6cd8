"""The table of all checks in docs/validity.md; `make schema` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.assessment import assess, group
from harness.judge.check import CheckKind, CheckSpec
from harness.judge.judgement import CHECK_CRASHED, CHECKS

PATH = Path(__file__).resolve().parents[2] / "docs" / "validity.md"
BEGIN = "<!-- checks, written by `make schema` -->\n"
END = "<!-- end of checks -->\n"


def all_specs() -> tuple[CheckSpec, ...]:
    """Every check but those of the scenario's objectives, in the order of a result."""
    of_runs = (spec for rule in CHECKS for spec in rule.specs)
    return (*of_runs, CHECK_CRASHED, assess.RESULT_STORED, *group.SPECS)


def check_table() -> str:
    """The Markdown between `BEGIN` and `END`: a table for each kind."""
    return "\n".join(line for kind in CheckKind for line in _table(kind))


def with_table(text: str) -> str:
    """A document with the present table in place of the one it has.

    Raises:
        ValueError: it does not have both marks.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"no table between {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}{check_table()}\n{END}{after}"


def _table(kind: CheckKind) -> Iterator[str]:
    yield f"### {kind.value.capitalize()}\n"
    yield "| id | title | what a status means |"
    yield "|---|---|---|"
    for spec in all_specs():
        if spec.kind is kind:
            meanings = (
                ("FAIL", spec.fail),
                ("INVALID", spec.invalid),
                ("INCONCLUSIVE", spec.inconclusive),
            )
            text = ". ".join(f"{status}: {meaning}" for status, meaning in meanings if meaning)
            yield f"| `{spec.id}` | {spec.name} | {text} |"
    yield ""


if __name__ == "__main__":
    PATH.write_text(with_table(PATH.read_text(encoding="utf-8")), encoding="utf-8")
