"""Telemetry of a run as time series: resources of the system's parts, each second.

A time series is one figure of one subject. Its name has the subject, the figure and the unit:

| name | is | limit |
|---|---|---|
| `service.<name>.cpu_cores` | CPU of the whole process tree or container | quota in force |
| `service.<name>.cpu_busiest_cores` | of the busiest single thread or process of it | 1 |
| `service.<name>.cpu_wait_cores` | runnable without a core | - |
| `service.<name>.throttled_share` | periods in which the quota was used up | 1 |
| `service.<name>.memory_bytes` | in use | limit in force |
| `service.<name>.memory_private_bytes` | of it, what no process shares and no file backs | - |
| `service.<name>.faults_major_per_s`, `.faults_minor_per_s` | page faults | - |
| `service.<name>.read_bytes_per_s`, `.written_bytes_per_s` | storage | - |
| `service.<name>.pressure_{cpu,memory,io}_share` | share of time with a stalled task (PSI) | 1 |
| `host.busy_cores`, `host.idle_cores`, `host.steal_cores`, `host.iowait_cores` | sums | cores |
| `host.core<N>.busy_share`, `.steal_share` | of one core | 1 |
| `host.pressure_{cpu,memory,io}_share` | share of time with a stalled task (PSI) | 1 |
| `host.{system,harness,foreign}_cores` | CPU of all their processes | - |
| `host.{system,harness,foreign}_blocked_count` | their tasks that wait for storage | - |
| `host.other_runs_count` | other runs of a harness on this host | - |
| `foreign.<program>.cpu_cores`, `.blocked_count` | the same of one foreign program | - |
| `disk.<disk>.busy_share` | time with a request under way | 1 |
| `disk.<disk>.{writes,flushes}_per_s`, `.{write,flush}_ms` | requests, mean time of one | - |
| `redis.memory_bytes` | data and overhead | container's limit or maxmemory, the smaller |
| `redis.commands_per_s`, `redis.clients_count`, `redis.refused_per_s` | traffic | - |
| `redis.stream.<name>.length_count` | entries held | the contract's maxlen |
| `redis.group.<stream>.<group>.lag_count`, `.pending_count` | not read, not acknowledged | - |
| `redis.aof_bytes` | size of the append-only file | - |
| `redis.aof_rewrite_count` | 1 while the file is rewritten | - |
| `redis.aof_delayed_per_s` | writes delayed by fsync | - |
| `redis.latest_fork_ms` | length of the latest fork | - |
| `postgres.connections_active_count` | active | 160 |
| `postgres.connections_count` | open | max_connections, specified as 200 |
| `postgres.lock_waiters_count` | sessions that wait for a lock | - |
| `postgres.nonce_waiters_count` | of them, for a row of the nonce table | - |
| `postgres.nonce_wait_ms` | the longest such wait now | - |
| `postgres.lock_waiting_share`, `postgres.nonce_waiting_share` | share of polls with a waiter | 1 |
| `postgres.statement_ms.<kind>` | mean time of the statements of a kind | - |
| `postgres.database_bytes` | size of the database, without the log | - |
| `postgres.wal_bytes_per_s` | log written | - |
| `postgres.checkpoint_count` | 1 in a second in which one ended | - |
| `rpc.<node>.mean_ms` | time to an answer | 100 ms |
| `rpc.<node>.slow_share` | share of answers above that limit | 1 |
| `rpc.<node>.requests_per_s`, `rpc.<node>.failures_per_s` | answers, missing answers | - |
| `page.<service>.<metric>{<labels>}` | gauge of a Prometheus page | - |
| `page.<service>.<metric>{<labels>}.per_s` | counter, or observations of a histogram | - |
| `page.<service>.<metric>{<labels>}.mean` | mean of the new observations, metric's unit | - |
| `harness.evidence_bytes` | size of the run's folder | - |
| `sampler.cost_cores` | CPU of the sampler itself | 0.02 |

Lock waits are polled several times between two samples: counts of waiters and `nonce_wait_ms` are
the largest values of these polls. A rate, a share or a mean covers the time since the sample before
and has the time of its end. A figure that could not be read has no series, and a reason in
`Telemetry.unread`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One figure over time.

    Attributes:
        at_s: times in seconds after the run's t0 (negative before it); ascending.
        values: as many as times, in the unit of the name.
        limit: upper limit in the same unit; None without one.
        limit_source: where the limit was read: "cgroup", "maxmemory", "setting", "specified", ...
    """

    name: str
    at_s: tuple[float, ...]
    values: tuple[float, ...]
    limit: float | None = None
    limit_source: str = ""


@dataclass(frozen=True, slots=True)
class LockWait:
    """A PostgreSQL session that waits for a lock.

    Attributes:
        at_s: time of the poll, seconds after t0.
        relation: table whose row or lock it waits for; "" where the server does not report it.
        statement: start of its statement, without values.
        for_update: whether that is a `SELECT ... FOR UPDATE`.
        waited_ms: length of the wait so far.
        holders: sessions it waits for, as (state, start of the statement).
    """

    at_s: float
    relation: str
    statement: str
    for_update: bool
    waited_ms: float
    holders: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Telemetry of one run.

    Attributes:
        time_series: by name.
        lock_waits: in order of time.
        every_s: sampling interval.
        unread: reason why a subject could not be read, by subject.
        invalid_lines: lines of the file that are no telemetry.
        present: False for a run without telemetry.
    """

    time_series: Mapping[str, TimeSeries] = field(default_factory=dict)
    lock_waits: tuple[LockWait, ...] = ()
    every_s: float = 1.0
    unread: Mapping[str, str] = field(default_factory=dict)
    invalid_lines: int = 0
    present: bool = False

    def of(self, prefix: str) -> tuple[TimeSeries, ...]:
        """Time series whose name has this prefix, in order of their names."""
        return tuple(
            self.time_series[name] for name in sorted(self.time_series) if name.startswith(prefix)
        )
