"""What may not be drawn: a bound that is none, and bars of one length that are different times."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.measurement import Measurement
from harness.assessment.assess import assess
from harness.judge.judgement import Judgement
from harness.report.html.components import Chart
from harness.report.html.percentiles import percentile_figure
from harness.report.html.stages import stage_parts
from harness.scenario.objective import parse_objective
from tests.unit.analysis.evidence import healthy, load_of

LIMIT = "lite p99 < 500 ms"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, Judgement]:
    """A run with signals of both modes."""
    world = healthy(load_of(duration_s=8.0), LIMIT, full_every=2)
    found = assess(world.write(tmp_path_factory.mktemp("reports")))
    return found.measurement, found.judgement


@pytest.mark.parametrize("upper_ns", [None, 400_000_000])
def test_no_whisker_without_a_bound(
    judged: tuple[Measurement, Judgement], upper_ns: int | None
) -> None:
    """An interval without an upper bound has a mark of its own, and no bar to the maximum."""
    measurement, judgement = judged
    checks = [
        check.model_copy(update={"figures": {**check.figures, "upper_ns": upper_ns}})
        if check.objective == LIMIT
        else check
        for check in judgement.checks
    ]
    judgement = judgement.model_copy(update={"checks": tuple(checks)})
    figure = percentile_figure(measurement, judgement, [parse_objective(LIMIT)])
    assert isinstance(figure, Chart)
    (bar,) = (trace for trace in figure.traces if "error_y" in trace)
    assert (bar["error_y"]["array"] == [0.0]) is (upper_ns is None)
    assert ("open" in bar["marker"]["symbol"]) is (upper_ns is None)
    assert ("no upper bound" in bar["name"]) is (upper_ns is None)


def test_modes_share_their_scale(judged: tuple[Measurement, Judgement]) -> None:
    """The figures of two modes have one axis, though one mode is ten times as slow."""
    lite, full = (split for split in judged[0].splits if split.phase == "measure")
    stages = tuple(
        stage.model_copy(update={"sum_ns": 10 * stage.sum_ns, "max_ns": 10 * stage.max_ns})
        for stage in full.stages
    )
    slow = full.model_copy(update={"stages": stages})
    parts = stage_parts(judged[0].model_copy(update={"splits": (lite, slow)}))
    figures = [part for part in parts if isinstance(part, Chart)]
    assert len(figures) == 4
    for kind in ("share", "spread"):
        first, second = (f.layout["xaxis"]["range"] for f in figures if f"-{kind}-" in f.key)
        assert first == second


def test_figures_of_stages_stand_one_below_the_other() -> None:
    """Bars on a linear scale next to marks on a logarithmic one would look comparable."""
    css = Path("harness/report/html/templates/report.css").read_text(encoding="utf-8")
    assert ".figures.where" not in css
