"""Every limit of a valid run, in one place, with the reason for it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.clock import NS_PER_MS, NS_PER_S
from harness.scenario import Scenario


@dataclass(frozen=True, slots=True)
class DurationLimit:
    """An upper limit of a duration: a part of the tightest objective, within bounds.

    Attributes:
        share: of the tightest latency limit of the scenario.
        least_ns: never less; a smaller limit would judge the host's scheduler, not the run.
        default_ns: in a scenario without an objective of latency.
        reason: why a run beyond it is invalid.
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
# What an engine may reject where no objective speaks of it: what all scenarios of ours allow.
REJECTED_SHARE_MAX_DEFAULT = 0.01

# Of the share that arrives when it is measured, what must arrive in the warm-up for it to be one.
# Half: an engine that is still starting may refuse a stretch of it; one that only begins to work
# when the clock runs arrives with far less. A few signals give no share.
WARMUP_ARRIVED_SHARE_MIN = 0.5
WARMUP_SIGNALS_MIN = 20

# Computing time of one core from which on a process has no breath left for a burst: what it sends
# or sees late is its own doing. Lateness shows past bursts, this the reserve for later ones.
CORE_SHARE_MAX = 0.90
# A swarm process that is ready and has no core for half of the time is starved, whatever its
# lateness is. Not less: an ordinary process on a busy host waits a millisecond at each of
# some hundred wake-ups a second, and is on time all the same. The observer has no such limit,
# since what its waiting does is measured on each signal, from commit to observation.
SWARM_WAIT_SHARE_MAX = 0.50
# Share of the time in which the swarm should have been awake and was not: one signal in fifty.
STALLED_SHARE_MAX = 0.02
STALL_LONGEST = DurationLimit(
    share=1.0,
    least_ns=250 * NS_PER_MS,
    default_ns=500 * NS_PER_MS,
    reason="a pause as long as the limit makes signals miss it by itself",
)
# The observer reports every second. Three missing reports in a row are more than a busy host.
HEARTBEAT_GAP_MAX_NS = 4 * NS_PER_S
# One segment of PostgreSQL's log. The observer confirms each second and stays within kilobytes.
REPLICATION_LAG_MAX_BYTES = 16 * 1024 * 1024
# A tenth of the cores gone to other guests: what was measured is not a system on this host.
STEAL_SHARE_MAX = 0.10
# What programs of others may use of all cores in a second that leaves none idle. A fifth: with it
# given back the system would have had cores to spare; one that fills the other four fifths by
# itself is saturated whoever else is there. Above what an idle host's own services use.
FOREIGN_CORES_SHARE = 0.20
IDLE_CORES_SHARE = 0.10
# And some service must have had work for half of that second, computing or waiting for a core: at
# less its queue holds less than one signal on average (utilisation / (1 - utilisation) of M/M/1),
# which makes a signal wait for milliseconds. Such a service is slow for a reason of its own.
RUNNABLE_CORES_MIN = 0.50
# Storage. Tasks that wait for it (state D) are sampled once a second, so five samples are
# averaged. A foreign program that calls fsync in a loop waits nearly all the time, one that logs a
# line now and then does not: half of the samples lies between. A third of all that wait: next to a
# system that queues up at its own writes, a foreign task is a victim and no cause. And the system
# itself must have been seen waiting, else the storage is not what slowed it: its own writes are
# short, so once in fifteen samples is enough.
STORAGE_SAMPLES = 5
FOREIGN_BLOCKED_MIN = 0.5
FOREIGN_BLOCKED_SHARE = 1 / 3
SYSTEM_SAMPLES = 15
SYSTEM_BLOCKED_MIN = 1 / SYSTEM_SAMPLES
# Share of the time in which some task was stalled for storage; below, it was not short.
PRESSURE_IO_SHARE = 0.30
# The harness samples itself every second; a host too busy for five samples is unreliable.
SELF_MONITORING_GAP_MAX_NS = 5 * NS_PER_S
# The host's wall clock is sampled each second. A clock that is disciplined moves by less than a
# millisecond in that time (500 ppm); one that is stepped, seldom by less than this.
HOST_STEP_MAX_NS = 10 * NS_PER_MS
# From here on latencies include waiting for a core; no fault of the run, but no sign-off either.
BUSY_SHARE_SIGNOFF = 0.90
# A foreign program that writes or computes in bursts is seen in some seconds and felt in those
# between: stretches that lie no further apart are one disturbance.
INTERFERENCE_GAP_S = 5.0
# Affected for a fifth of the measured time, an open interval does not predict how much
# longer to run: the same programs would keep it open.
INTERFERENCE_SHARE = 0.2
# Affected for half of it, the rest is no unaffected run: interference is seen a second late.
INTERFERENCE_SHARE_DOMINANT = 0.5
# Least length of the measured load for a sign-off: what the nightly scenarios run.
SIGNOFF_S = 300


def tightest_latency_ns(scenario: Scenario) -> int | None:
    """The smallest limit that the scenario sets to a latency, or to a service time."""
    limits = [
        objective.limit_ns
        for objective in scenario.parsed_objectives()
        if objective.is_system_duration and objective.limit_ns is not None
    ]
    return min(limits, default=None)
