"""The diagnosis: the specification's questions in its order, the host, and what else stands out.

It explains a verdict and never makes one. Everything is taken from stored evidence, so that the
same run is always told the same.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.diagnosis.answers import Answer, Diagnosis, Question, Span
from harness.diagnosis.context import DiagnosisContext, DiagnosisInput, build_context
from harness.diagnosis.engine import ask_engine
from harness.diagnosis.host import ask_host, is_foreign_load
from harness.diagnosis.nonce_locks import ask_nonce_locks
from harness.diagnosis.redis_memory import ask_redis
from harness.diagnosis.remarks import remarks_of
from harness.diagnosis.rpc import ask_rpc
from harness.diagnosis.stages import describe_stages
from harness.diagnosis.trigger import ON_DEMAND, find_trigger

# Section 6.2 of the specification: in this order. Then what it does not ask for.
QUESTIONS: tuple[Callable[[DiagnosisContext], Question], ...] = (
    ask_engine,
    ask_redis,
    ask_nonce_locks,
    ask_rpc,
    ask_host,
)


def diagnose(facts: DiagnosisInput, *, on_demand: bool = False) -> Diagnosis | None:
    """Ask the questions of one run.

    Args:
        facts: of the run.
        on_demand: whether somebody asks, whatever the latency.

    Returns:
        The diagnosis; None when nobody asks and every promise was kept with ease. One that
        crashed says so in `failed` and nothing else: no verdict depends on it.
    """
    because = ON_DEMAND
    try:
        concern = find_trigger(facts.scenario, facts.judgement, on_demand=on_demand)
        if concern is None:
            return None
        because = concern.because
        return _diagnose(build_context(facts, concern))
    except Exception as error:  # whatever it is, the verdict stands and must be told
        return crashed(error, because)


def crashed(error: Exception, because: str = ON_DEMAND) -> Diagnosis:
    """What is told in place of a diagnosis that could not be made."""
    failed = f"the diagnosis crashed: {type(error).__name__}: {error}"
    return Diagnosis(because=because, headline=None, questions=(), failed=failed)


def _diagnose(subject: DiagnosisContext) -> Diagnosis:
    # Where others took what the system needed, its own figures tell of nothing else.
    questions = tuple(sorted((ask(subject) for ask in QUESTIONS), key=_after_others))
    yes = [question for question in questions if question.answer is Answer.YES]
    return Diagnosis(
        because=subject.trigger.because,
        headline=yes[0].message if yes else None,
        questions=questions,
        stages=describe_stages(subject),
        remarks=remarks_of(subject, {question.key for question in yes}),
        slow=tuple(Span(start_s=start, end_s=end) for start, end in subject.slow),
    )


def _after_others(question: Question) -> bool:
    return not is_foreign_load(question)
