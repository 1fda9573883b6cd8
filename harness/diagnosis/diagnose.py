"""The diagnosis of a judged run: the specified questions, the host, stages and remarks.

It explains a verdict and never changes one. It reads stored evidence only, so the same run always
gives the same diagnosis.
"""

from __future__ import annotations

from harness.diagnosis import engine, host, nonce_locks, redis_memory, rpc
from harness.diagnosis.answers import Answer, Diagnosis, Span
from harness.diagnosis.context import DiagnosisContext, DiagnosisInput, build_context
from harness.diagnosis.question import DiagnosisQuestion
from harness.diagnosis.remarks import find_remarks
from harness.diagnosis.stages import describe_stages
from harness.diagnosis.trigger import ON_DEMAND, find_trigger
from harness.judge.check import CheckContext
from harness.judge.judgement import Judgement

# Section 6.2 of the specification, in its order. The host is not part of it and comes last.
QUESTIONS: tuple[DiagnosisQuestion, ...] = (
    engine.QUESTION,
    redis_memory.QUESTION,
    nonce_locks.QUESTION,
    rpc.QUESTION,
    host.QUESTION,
)


def diagnose_run(case: CheckContext, judgement: Judgement, *, on_demand: bool) -> Diagnosis | None:
    """Diagnose a run.

    Args:
        case: the run.
        judgement: of the run.
        on_demand: whether a diagnosis is wanted whatever the latency.

    Returns:
        The diagnosis; None where it is not wanted and every objective is far from its limit. A
        diagnosis that crashed holds the error in `failed`: no verdict depends on it.
    """
    because = ON_DEMAND
    try:
        trigger = find_trigger(case.scenario, judgement, on_demand=on_demand)
        if trigger is None:
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
        because = trigger.because
        return diagnose(build_context(facts, trigger))
    except Exception as error:  # whatever it is, the verdict is valid and has to be reported
        failed = f"the diagnosis crashed: {type(error).__name__}: {error}"
        return Diagnosis(because=because, headline=None, questions=(), failed=failed)


def diagnose(context: DiagnosisContext) -> Diagnosis:
    """Answer every question about a run."""
    found = [(question, question.find(context)) for question in QUESTIONS]
    # Load of other programs explains the figures of the system, so it is shown first.
    found.sort(key=lambda pair: not pair[1].precedes_others)
    questions = tuple(question.answer(context, conclusion) for question, conclusion in found)
    yes = [question for question in questions if question.answer is Answer.YES]
    return Diagnosis(
        because=context.trigger.because,
        headline=yes[0].message if yes else None,
        questions=questions,
        stages=describe_stages(context),
        remarks=find_remarks(context, {question.key for question in yes}),
        slow=tuple(Span(start_s=start, end_s=end) for start, end in context.slow),
    )
