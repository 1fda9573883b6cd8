"""The environment and stack of a run as flat tables, and the commands that repeat it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.evidence.run_folder import scenario_text
from harness.report.data import ReportData
from harness.report.html.components import Section, Table
from harness.report.html.run_timeline import RunTimeline

# Long lists, such as the settings of every container, are cut; the run's folder has them all.
FACTS_MAX = 200
_DEPTH_MAX = 8


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """Content of the section on the environment."""

    missing_evidence: tuple[str, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class ReproductionView:
    """Content of the section on repeating the run: titles with their commands, and the scenario."""

    steps: tuple[tuple[str, str], ...]
    scenario: str


def environment_section(data: ReportData, _: RunTimeline) -> Section:
    """Host, versions and stack of the run."""
    # The reasons are shown with the grade.
    stack = {name: value for name, value in data.stack.items() if name != "grade_reasons"}
    tables = (
        facts_table("Host, versions and commit", data.environment),
        facts_table("System under test", stack),
    )
    return Section(
        "environment",
        "Environment",
        "Host, versions and stack of the run: results are comparable only as far as these agree.",
        template="environment.html.j2",
        content=EnvironmentView(data.missing_evidence, tables),
    )


def reproduction_section(data: ReportData, _: RunTimeline) -> Section:
    """The commands that repeat run, judgement and report."""
    steps = (
        (f"The same run (seed {data.plan.seed})", data.command),
        ("The same evidence, judged again", f"harness judge {data.folder.path}"),
        ("This page, from the same evidence", f"harness report {data.folder.path} --html"),
    )
    return Section(
        "reproduce",
        "Repeat the run",
        "The same seed gives the same signals at the same times; the load of the host may differ.",
        template="reproduce.html.j2",
        content=ReproductionView(steps, scenario_text(data.scenario)),
    )


def facts_table(caption: str, facts: Mapping[str, Any]) -> Table:
    """One row for each fact; its title is the path to it."""
    rows = []
    for number, (name, value) in enumerate(_flat("", facts, 0)):
        if number == FACTS_MAX:
            caption += f" (the first {FACTS_MAX})"
            break
        rows.append((name, value))
    return Table(caption, ("fact", "value"), tuple(rows), numbers=False)


def _flat(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    inside: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        inside = [(str(key), part) for key, part in value.items()]
    elif isinstance(value, (list, tuple)) and any(isinstance(p, (Mapping, list)) for p in value):
        inside = [(str(number + 1), part) for number, part in enumerate(value)]
    if inside and depth < _DEPTH_MAX:
        for key, part in inside:
            yield from _flat(f"{name}.{key}" if name else key, part, depth + 1)
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(str(part) for part in value)
    else:
        yield name, "unknown" if value is None else str(value)
