"""What a diagnosis says, as frozen values that survive JSON."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(StrEnum):
    """Of a question; unknown when what it needs was not there to be read."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Span(_Value):
    """A stretch of the run, in seconds after t0."""

    start_s: float
    end_s: float


class Evidence(_Value):
    """A figure that an answer rests on.

    Attributes:
        track: name of the telemetry track; see `harness.analysis.resources.telemetry`. One that begins with
            "measurement." was taken from the signals themselves.
        said: the figure with its unit and what it is held against, in words.
        value: the figure itself, in the track's unit.
        limit: what it is held against; None without one.
        start_s, end_s: the stretch it was taken over, seconds after t0.
        correlation: rank correlation with the latency of the same seconds, -1 to 1; None where
            there are too few seconds or one of both does not change.
    """

    track: str
    message: str
    value: float
    limit: float | None = None
    start_s: float
    end_s: float
    correlation: float | None = None


class Question(_Value):
    """One question of the specified order.

    Attributes:
        key: "engine_cpu", "redis_memory", "nonce_locks", "rpc" or "host".
        asks: the question.
        said: the answer in a sentence, with its figures; of an unknown, what was missing.
        advice: what the specification advises when it is a yes.
    """

    key: str
    asks: str
    answer: Answer
    message: str
    evidence: tuple[Evidence, ...] = ()
    advice: str = ""


class Remark(_Value):
    """Something else that stands out.

    Attributes:
        key: what kind it is: "restart", "stall", "throttling", "aof_rewrite", "hot_address", ...
    """

    key: str
    message: str
    evidence: tuple[Evidence, ...] = ()


class Diagnosis(_Value):
    """Everything that was asked of one run.

    Attributes:
        because: why it was made: which figure came how near to which objective, or "on demand".
        headline: the first yes, in a sentence; None when no question was answered with yes.
        questions: the four in the specified order, then the host; the host first where others
            kept it busy.
        stages: what the split of the time says, a sentence each.
        remarks: what else stands out, the most important first.
        slow: when signals were near the limit or beyond it; what the answers are about. Empty
            where nothing was slow: then they are about all of the measured load.
        failed: why it could not be made; nothing else is told then.
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
