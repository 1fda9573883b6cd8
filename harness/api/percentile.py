"""A percentile of a run, which is compared with a limit through its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from harness.api.durations import Duration
from harness.formatting import format_count, format_duration_fixed, format_share
from harness.judge.check import Check

if TYPE_CHECKING:
    from harness.api.result import Result

# The longest limit that there is; the figures of a check do not depend on it.
_ANY_LIMIT = Duration(3_600_000_000_000)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Percentile:
    """A percentile, or the maximum, of one metric of a run.

    `run.p99 < ms(500)` is the objective `p99 < 500 ms`, decided as the judge decides it. It is True
    if the whole interval lies below the limit and False if it lies at or above. Otherwise it has no
    truth value and raises `UndecidedError`.

    With LITE and FULL signals in a run, each mode has to meet the limit; the figures are those of
    the slower mode.

    Attributes:
        question: the objective without its limit, such as `p99 of latency`.
        estimate_ns: the percentile of the sample; None if the sample is too small for it.
        lower_ns: the true percentile is at or above; None where there is no such bound.
        upper_ns: the true percentile is at or below; None where there is no such bound.
        confidence: of each bound, 0..1; None for a maximum, which has no interval.
        signals: number of signals; None for a maximum.
        run: what it was measured in.
    """

    question: str
    estimate_ns: int | None
    lower_ns: int | None
    upper_ns: int | None
    confidence: float | None
    signals: int | None
    run: Result

    @classmethod
    def of(cls, run: Result, question: str) -> Percentile:
        """The figures of an objective without its limit.

        Raises:
            UsageError: there is no such objective.
            EvidenceError: the evidence cannot be read.
        """
        checks = run.check(f"{question} < {_ANY_LIMIT}")
        estimates = _figures(checks, "estimate_ns") or _figures(checks, "max_ns")
        uppers = _figures(checks, "upper_ns")
        confidences = [check.figures.get("confidence") for check in checks]
        return cls(
            question,
            # The larger of the percentiles of two modes is at least the larger lower bound, and at
            # most the larger upper bound, if both have one.
            max(estimates) if len(estimates) == len(checks) else None,
            max(_figures(checks, "lower_ns"), default=None),
            max(uppers) if len(uppers) == len(checks) else None,
            max((one for one in confidences if isinstance(one, float)), default=None),
            sum(_figures(checks, "signals")) or None,
            run,
        )

    def check(self, limit: Duration) -> tuple[Check, ...]:
        """The check of each mode, with the message of the judge.

        Raises:
            UsageError: the limit is below 1 us or above 3600 s.
        """
        return self.run.check(f"{self.question} < {limit}")

    def __lt__(self, limit: Duration) -> bool:
        """Whether the percentile is below a limit.

        Raises:
            TypeError: the limit is no duration.
            UsageError: it is below 1 us or above 3600 s.
            UndecidedError: the interval does not decide.
            InvalidRunError: the run is not valid, and the figure does not miss the limit.
        """
        if not isinstance(cast("object", limit), Duration):
            raise TypeError(
                f"{self.question} is compared with a duration, not with {limit!r}:"
                " write ms(500), us(500) or seconds(2)"
            )
        return self.run.meets(f"{self.question} < {limit}")

    def __ge__(self, limit: Duration) -> bool:
        """Whether the percentile is at or above a limit; raises as `<` does."""
        return not self < limit

    def __repr__(self) -> str:
        """Estimate and interval: `p99 of latency 43.1 ms (40.0 ms to 48.2 ms, ...)`."""
        estimate = _text(self.estimate_ns, "not known")
        if self.confidence is None:
            return f"{self.question} {estimate}"
        lower = _text(self.lower_ns, "no lower bound")
        upper = _text(self.upper_ns, "no upper bound")
        return (
            f"{self.question} {estimate} ({lower} to {upper}, each bound at"
            f" {format_share(self.confidence)}, {format_count(self.signals or 0, 'signal')})"
        )


def _figures(checks: tuple[Check, ...], name: str) -> list[int]:
    """A figure of each check that has it."""
    found = (check.figures.get(name) for check in checks)
    return [value for value in found if isinstance(value, int)]


def _text(value_ns: int | None, unknown: str) -> str:
    return unknown if value_ns is None else format_duration_fixed(value_ns)
