"""A judged run, given to the diagnosis; whatever becomes of it, the judgement stands."""

from __future__ import annotations

from harness.diagnosis.answers import Diagnosis
from harness.diagnosis.context import DiagnosisInput
from harness.diagnosis.diagnose import crashed, diagnose
from harness.diagnosis.trigger import find_trigger
from harness.judge.check import CheckContext
from harness.judge.judgement import Judgement


def diagnose_run(case: CheckContext, judgement: Judgement, *, on_demand: bool) -> Diagnosis | None:
    """The diagnosis; None when there is nothing to explain and nobody asks."""
    try:
        if find_trigger(case.scenario, judgement, on_demand=on_demand) is None:
            return None
        facts = DiagnosisInput(
            scenario=case.scenario,
            plan=case.plan,
            run=case.run,
            measurement=case.measurement,
            judgement=judgement,
            telemetry=case.telemetry(),
            nonces_used={
                one.address: one.used for one in case.analysis.integrity.final_state.nonces
            },
        )
        return diagnose(facts, on_demand=on_demand)
    except Exception as error:  # whatever it is, the verdict stands and must be told
        return crashed(error)
