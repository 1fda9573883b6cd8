"""Telemetry of a run as tracks over time: what the system's parts used, each second.

A track is one figure of one subject. Its name says whose, then what, and its unit comes last:

| name | is | limit |
|---|---|---|
| `service.<name>.cpu_cores` | computing of the whole process tree or container | quota in force |
| `service.<name>.cpu_busiest_cores` | of the busiest single thread or process of it | 1 |
| `service.<name>.cpu_wait_cores` | ready to run and without a core | - |
| `service.<name>.throttled_share` | periods in which the quota was used up | 1 |
| `service.<name>.memory_bytes` | held now | limit in force |
| `service.<name>.faults_major_per_s`, `.faults_minor_per_s` | page faults | - |
| `service.<name>.read_bytes_per_s`, `.written_bytes_per_s` | storage | - |
| `service.<name>.pressure_{cpu,memory,io}_share` | of time in which some task stood still | 1 |
| `host.busy_cores`, `host.idle_cores`, `host.steal_cores`, `host.iowait_cores` | sums | cores |
| `host.core<N>.busy_share`, `.steal_share` | of one core | 1 |
| `host.pressure_{cpu,memory,io}_share` | of time in which some task stood still | 1 |
| `host.{system,harness,foreign}_cores` | computing of all their processes | - |
| `host.{system,harness,foreign}_blocked_count` | their tasks that wait for storage | - |
| `host.other_runs_count` | other runs of a harness on this host | - |
| `foreign.<program>.cpu_cores`, `.blocked_count` | the same of one foreign program | - |
| `disk.<disk>.busy_share` | time with a request under way | 1 |
| `disk.<disk>.{writes,flushes}_per_s`, `.{write,flush}_ms` | requests, mean time of one | - |
| `redis.memory_bytes` | data and overhead | container's limit or maxmemory, the smaller |
| `redis.commands_per_s`, `redis.clients_count`, `redis.refused_per_s` | traffic | - |
| `redis.stream.<name>.length_count` | entries held | the contract's maxlen |
| `redis.group.<stream>.<group>.lag_count`, `.pending_count` | not read, not acknowledged | - |
| `redis.aof_rewrite_count` | 1 while the file is rewritten | - |
| `redis.aof_delayed_per_s` | writes held up by fsync | - |
| `redis.latest_fork_ms` | length of the latest fork | - |
| `postgres.connections_active_count` | at work | 160 |
| `postgres.connections_count` | open | max_connections, specified as 200 |
| `postgres.lock_waiters_count` | sessions that wait for a lock | - |
| `postgres.nonce_waiters_count` | of them, for a row of the nonce table | - |
| `postgres.nonce_wait_ms` | the longest such wait now | - |
| `postgres.lock_waiting_share`, `postgres.nonce_waiting_share` | of looks that met a waiter | 1 |
| `postgres.statement_ms.<kind>` | mean time of the statements of a kind | - |
| `postgres.wal_bytes_per_s` | log written | - |
| `postgres.checkpoint_count` | 1 in a second in which one ended | - |
| `rpc.<node>.mean_ms` | time to an answer | 100 ms |
| `rpc.<node>.slow_share` | of answers that took longer than that limit | 1 |
| `rpc.<node>.requests_per_s`, `rpc.<node>.failures_per_s` | answers and none | - |
| `page.<service>.<metric>{<labels>}` | gauge of a Prometheus page | - |
| `page.<service>.<metric>{<labels>}.per_s` | counter, or observations of a histogram | - |
| `page.<service>.<metric>{<labels>}.mean` | of the observations since, in the metric's unit | - |
| `sampler.cost_cores` | what taking the telemetry itself cost | 0.02 |

Lock waits are looked for several times between two looks: counts of waiters and `nonce_wait_ms` are
the largest that were met. A figure over time (a rate, a share, a mean) speaks of the time since
the look before, and stands at its end.
What could not be read has no track, and a reason in `Telemetry.unread`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One figure over time.

    Attributes:
        at_s: when, in seconds after the run's t0 (negative before it); ascending.
        values: as many; in the unit that ends the name.
        limit: what it may at most be, in the same unit; None without one.
        limit_source: where the limit was read: "cgroup", "maxmemory", "setting", "specified", ...
    """

    name: str
    at_s: tuple[float, ...]
    values: tuple[float, ...]
    limit: float | None = None
    limit_source: str = ""


@dataclass(frozen=True, slots=True)
class LockWait:
    """A session that was seen waiting for a lock in PostgreSQL.

    Attributes:
        at_s: when it was seen, seconds after t0.
        relation: table whose row or lock it waits for; "" where the server does not tell.
        statement: first words of what it runs, without values.
        for_update: whether that is a `SELECT ... FOR UPDATE`.
        waited_ms: how long it had waited.
        holders: what those do that it waits for, as (state, first words of the statement).
    """

    at_s: float
    relation: str
    statement: str
    for_update: bool
    waited_ms: float
    holders: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Everything of one run.

    Attributes:
        tracks: by name.
        waits: lock waits that were seen, in order of time.
        every_s: how often a look was taken.
        unread: what could not be read, and why, by subject.
        bad: lines of the file that are no telemetry.
        present: False for a run that kept none.
    """

    time_series: Mapping[str, TimeSeries] = field(default_factory=dict)
    lock_waits: tuple[LockWait, ...] = ()
    every_s: float = 1.0
    unread: Mapping[str, str] = field(default_factory=dict)
    invalid_lines: int = 0
    present: bool = False

    def of(self, prefix: str) -> tuple[TimeSeries, ...]:
        """Tracks whose name begins so, in order of their names."""
        return tuple(
            self.time_series[name] for name in sorted(self.time_series) if name.startswith(prefix)
        )
