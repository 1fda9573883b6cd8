"""Every limit of a valid run, in one place, with the reason for it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.clock import NS_PER_MS
from harness.scenario import Scenario


@dataclass(frozen=True, slots=True)
class DurationLimit:
    """An upper limit of a duration: a part of the tightest promise, within bounds.

    Attributes:
        share: of the tightest latency limit of the scenario.
        least_ns: never less; a smaller limit would judge the host's scheduler, not the run.
        default_ns: in a scenario that promises no latency.
        reason: why a run beyond it says nothing.
    """

    share: float
    least_ns: int
    default_ns: int
    reason: str

    def of(self, scenario: Scenario) -> int:
        """The limit in a scenario, in ns."""
        tightest = tightest_latency_ns(scenario)
        if tightest is None:
            return self.default_ns
        return max(self.least_ns, round(tightest * self.share))


LATENESS_P99 = DurationLimit(
    share=0.02,
    least_ns=5 * NS_PER_MS,
    default_ns=10 * NS_PER_MS,
    reason="the load was not the one asked for: the generator was late",
)
LATENESS_P999 = DurationLimit(
    share=0.10,
    least_ns=25 * NS_PER_MS,
    default_ns=50 * NS_PER_MS,
    reason="the generator stalled, and the bursts after it are its own",
)
OBSERVER_P99 = DurationLimit(
    share=0.10,
    least_ns=20 * NS_PER_MS,
    default_ns=50 * NS_PER_MS,
    reason="the observer saw commits so late that it measured itself",
)
# Below, the load was not the one asked for.
RATE_SHARE_MIN = 0.99
# Least length of the measured load for a sign-off: what the nightly scenarios run.
SIGNOFF_S = 300


def tightest_latency_ns(scenario: Scenario) -> int | None:
    """The smallest limit that the scenario sets to a latency."""
    limits = [
        objective.limit_ns
        for objective in scenario.parsed_objectives()
        if objective.metric == "latency" and objective.limit_ns is not None
    ]
    return min(limits, default=None)
