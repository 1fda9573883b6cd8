"""The tables of all checks and of all objective metrics in docs; `make schema` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

from harness.assessment import assess, group
from harness.data_files import DATA
from harness.judge.check import CheckKind, CheckSpec
from harness.judge.judgement import CHECK_CRASHED, CHECKS
from harness.scenario.objective_metrics import metric_table

DOCS = DATA / "docs"


def all_specs() -> tuple[CheckSpec, ...]:
    """Every check but those of the scenario's objectives, in the order of a result."""
    of_runs = (spec for rule in CHECKS for spec in rule.specs)
    return (*of_runs, CHECK_CRASHED, assess.RESULT_STORED, *group.SPECS)


def check_tables() -> Iterator[str]:
    """The lines of Markdown tables, one for each kind of check."""
    for kind in CheckKind:
        yield from _table(kind)


# What is written into a page, by the page and the name in its marks.
TABLES: MappingProxyType[tuple[str, str], Callable[[], Iterator[str]]] = MappingProxyType(
    {("validity.md", "checks"): check_tables, ("scenarios.md", "metrics"): metric_table}
)


def with_table(text: str, name: str, lines: Iterator[str]) -> str:
    """A document with the present table in place of the one it has.

    Raises:
        ValueError: it does not have both marks.
    """
    begin, end = f"<!-- {name}, written by `make schema` -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = text.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"no table between {begin!r} and {end!r}")
    return "".join((before, begin, *(f"{line}\n" for line in lines), end, after))


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
    for (page, table), make in TABLES.items():
        path = DOCS / page
        text = with_table(path.read_text(encoding="utf-8"), table, make())
        path.write_text(text, encoding="utf-8")
