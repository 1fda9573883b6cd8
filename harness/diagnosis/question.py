"""What a module declares to add a question to the diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.diagnosis.answers import Answer, Evidence, Question
from harness.diagnosis.context import DiagnosisContext


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a question finds in one run.

    Attributes:
        message: the figures; of UNKNOWN, what is missing.
        advice: the remedy; of a yes only.
        precedes_others: whether it is shown before all other questions.
    """

    answer: Answer
    message: str
    evidence: Sequence[Evidence] = ()
    advice: str = ""
    precedes_others: bool = False


def unknown(message: str) -> Conclusion:
    """The conclusion of a question whose telemetry is missing."""
    return Conclusion(Answer.UNKNOWN, message)


@dataclass(frozen=True, slots=True)
class DiagnosisQuestion:
    """A question, registered in `harness.diagnosis.diagnose.QUESTIONS`.

    Attributes:
        key: identifies it in `result.json`; unique and never changed.
        text: the question as reports show it.
        find: computes the conclusion from a run.
    """

    key: str
    text: str
    find: Callable[[DiagnosisContext], Conclusion]

    def answer(self, context: DiagnosisContext, conclusion: Conclusion) -> Question:
        """The stored form; a known answer names the time that it covers."""
        known = conclusion.answer is not Answer.UNKNOWN
        return Question(
            key=self.key,
            asks=self.text,
            answer=conclusion.answer,
            message=context.sentence(conclusion.message) if known else conclusion.message,
            evidence=tuple(conclusion.evidence),
            advice=conclusion.advice,
        )
