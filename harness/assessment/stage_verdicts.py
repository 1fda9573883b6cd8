"""What the objectives of each stage found."""

from __future__ import annotations

from harness.analysis.measurement import Measurement
from harness.judge.judgement import Judgement
from harness.judge.verdict import worst
from harness.scenario.objective import parse_objective


def with_stage_verdicts(measurement: Measurement, judgement: Judgement) -> Measurement:
    """The measurement whose stages have the worst verdict of the objectives that name them."""
    if not measurement.stages:
        return measurement
    named = [
        (parse_objective(check.objective).stage, check.status.verdict)
        for check in judgement.checks
        if check.objective
    ]
    stages = []
    for stage in measurement.stages:
        names = {stage.name, str(stage.number)} - {""}
        own = [verdict for name, verdict in named if name in names]
        stages.append(stage.model_copy(update={"verdict": worst(own).name if own else None}))
    return measurement.model_copy(update={"stages": tuple(stages)})
