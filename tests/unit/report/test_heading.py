"""The sentence that describes what a run executed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.evidence.run_folder import RunFolder
from harness.report.data import read_report_data
from harness.report.html import html_report
from harness.report.junit import junit_xml
from harness.report.markdown import markdown
from harness.report.run_description import describe_run
from harness.scenario import Load, Stage


def load(*stages: tuple[int, float, float, float]) -> Load:
    """A load of such stages: agents, first rate, last rate, duration in s."""
    names = ("agents", "rate_from", "rate_to", "duration_s")
    return Load(
        stages=tuple(Stage.model_validate(dict(zip(names, s, strict=True))) for s in stages)
    )


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (load((50, 1200, 1200, 10)), "50 agents, 1,200 signals/s, 10 s measured"),
        (load((1, 0, 2.5, 8), (9, 0, 0, 2)), "1 to 9 agents, 0 to 2.5 signals/s, 10 s measured"),
    ],
)
def test_plan_in_a_sentence(plan: Load, text: str) -> None:
    """One figure where it is the same throughout, else its range."""
    assert describe_run(plan) == text
    whole = describe_run(plan, stack="attach", version="1.0")
    assert whole == f"{text}, attached system, harness 1.0"
    assert describe_run(plan, 5.0, stack="docker").endswith("5 s measured, docker stack")


def test_every_report_is_headed_by_what_ran(judged: RunFolder) -> None:
    """The scenario's description may name another load; it is no title."""
    data = read_report_data(judged)
    own = "7 agents for 99 s"
    data = replace(data, scenario=data.scenario.model_copy(update={"about": own}))
    page, summary = html_report(data), markdown(data)
    assert "8 s measured" in data.executed
    for text in (page.partition("</title>")[0], page.partition("</h1>")[0], summary):
        assert data.executed in text
    assert own not in page.partition("</h1>")[0]
    assert own not in summary
    assert f'name="executed" value="{data.executed}"' in junit_xml(data)


def test_heading_is_of_the_plan_that_ran(judged: RunFolder) -> None:
    """Agents and rate come from the plan, not from the scenario."""
    data = read_report_data(judged)
    plan = data.plan.model_copy(update={"load": load((12, 34, 34, 8))})
    page = html_report(replace(data, plan=plan))
    heading = page.partition('class="asked">')[2].partition("<")[0]
    assert heading.startswith("12 agents, 34 signals/s")
    assert "process stack" in heading
