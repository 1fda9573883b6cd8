"""The figures of each stage of a load, as values that are stored as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from harness.printable import SingleLineText


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageLatencyFigures(_Value):
    """Latency of the signals of one stage and mode, all repetitions together.

    Attributes:
        count: signals, those that never arrived included.
        p50_ns, p99_ns: None of too few signals.
        p99_lower_ns, p99_upper_ns: one-sided 95 % bounds; None where the sample is too small.
            Unexpected rejections are above them.
        max_ns: upper end of its bucket.
    """

    mode: SingleLineText
    count: int
    p50_ns: int | None
    p99_ns: int | None
    p99_lower_ns: int | None
    p99_upper_ns: int | None
    max_ns: int


class StageFigures(_Value):
    """One stage of the scenario, all repetitions together.

    Attributes:
        number: as objectives write it, from 1.
        name: empty without one.
        phase: "measure" or "warmup".
        repetitions: how often it was executed.
        agents: alive in it.
        duration_s: of all repetitions.
        rate_from: signals/s that were asked for at its start.
        rate_to: the same at its end.
        intended: signals of the plan; None when they were not computed.
        sent: of them, those that were sent before the phase ended.
        simulated_per_s: signals that were observed SIMULATED in it, in the intervals of `seconds`
            that lie within it; None where none does.
        in_flight_end: backlog at its end, to one interval of `seconds`: signals that were sent and
            not final; the largest of its repetitions.
        latency: by mode.
        verdict: the worst of the objectives that name the stage; None without such an objective.
    """

    number: int
    name: SingleLineText
    phase: SingleLineText
    repetitions: int
    agents: int
    duration_s: float
    rate_from: float
    rate_to: float
    intended: int | None
    sent: int
    simulated_per_s: float | None
    in_flight_end: int | None
    latency: tuple[StageLatencyFigures, ...]
    verdict: SingleLineText | None = None

    @property
    def rate_asked(self) -> float:
        """Mean rate of the plan, signals/s."""
        return (self.rate_from + self.rate_to) / 2

    @property
    def rate_sent(self) -> float:
        """Signals/s that were sent."""
        return self.sent / self.duration_s
