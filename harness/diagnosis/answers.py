"""The result of a diagnosis, as frozen values that are stored in `result.json`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(StrEnum):
    """The answer to a question; UNKNOWN where its telemetry is missing."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Span(_Value):
    """An interval of the run, in seconds after t0."""

    start_s: float
    end_s: float


class Evidence(_Value):
    """A figure that an answer rests on.

    Attributes:
        track: name of the telemetry series; see `harness.analysis.resources.telemetry`. A name
            that begins with "measurement." is computed from the signals.
        message: the figure with its unit.
        value: the figure, in the unit of the series.
        limit: the threshold that it is compared with; None without one.
        start_s, end_s: the interval that it covers, seconds after t0.
        correlation: rank correlation with the latency of the same seconds, -1 to 1; None where
            there are too few seconds, or one of the two series is constant.
    """

    track: str
    message: str
    value: float
    limit: float | None = None
    start_s: float
    end_s: float
    correlation: float | None = None


class Question(_Value):
    """A question with its answer.

    Attributes:
        key: identifies the question; see `harness.diagnosis.diagnose.QUESTIONS`.
        asks: the text of the question.
        message: the answer with its figures; of UNKNOWN, what is missing.
        advice: the remedy that the specification names for a yes.
    """

    key: str
    asks: str
    answer: Answer
    message: str
    evidence: tuple[Evidence, ...] = ()
    advice: str = ""


class Remark(_Value):
    """An observation that no question covers.

    Attributes:
        key: its kind: "restart", "stall", "throttling", "aof_rewrite", "hot_address", ...
    """

    key: str
    message: str
    evidence: tuple[Evidence, ...] = ()


class StageShare(_Value):
    """The stage of the latency breakdown with the largest share of the latency.

    Attributes:
        start, end: the events that it lies between.
        share: of the sum of all latencies, 0 to 1.
        contains: what happens in it; empty where that is not known.
    """

    start: str
    end: str
    share: float
    contains: str


class Diagnosis(_Value):
    """The diagnosis of one run.

    Attributes:
        because: why it was made: an objective at or near its limit, or "on demand".
        headline: message of the first yes; None without one.
        questions: in the specified order, then the host; the host first where other programs
            loaded it.
        stages: what the latency breakdown shows, a sentence each.
        remarks: further observations, the most important first.
        slow: when signals were near the limit or beyond it: the time that the answers cover.
            Empty where no signal was slow; the answers cover all of the measured load then.
        failed: the error of a diagnosis that crashed; the other fields are empty then.
    """

    because: str
    headline: str | None
    questions: tuple[Question, ...]
    stages: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    slow: tuple[Span, ...] = ()
    failed: str = ""


def unknown_answer(key: str, asks: str, missing: str) -> Question:
    """The answer to a question whose figures are missing."""
    return Question(key=key, asks=asks, answer=Answer.UNKNOWN, message=missing)
