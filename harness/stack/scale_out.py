"""Scales the agents of Zone A out and in while the load is on, and records what else changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import psycopg
import redis
from psycopg import sql

from harness.clock import NS_PER_S, Clock
from harness.contract.names import Contract, State
from harness.errors import EvidenceError, StackError, error_text
from harness.evidence.scale_log import (
    AgentInstance,
    AgentSignals,
    ScaleBegin,
    ScaleEnd,
    ScaleStepRecord,
    ServiceIdentity,
    format_scale_entry,
)
from harness.process.background_task import BackgroundTask, Wait
from harness.process.cgroup import read_limits
from harness.scenario.agent_containers import ScaleStep
from harness.stack.base import Endpoints

# A step of 100 containers on a busy host; the stack bounds each of them.
_JOIN_S = 300.0
_REDIS_S = 5.0
_QUERY_S = 30
# How the agents of `compose/zone_a/agent.py` name themselves and their strategies.
CONSUMER_PREFIX = "agent-"
_STRATEGY_PREFIX = "strategy-agent-"
# What a control group counts, rather than limits.
_COUNTED = frozenset({"throttled_periods", "periods", "missing", "version"})


class ScalableStack(Protocol):
    """A stack whose number of agents can change."""

    def scale(self, agents: int, is_aborted: Callable[[], bool] = ...) -> None:
        """Start or end agents until there are so many; returns when they run or have ended.

        Args:
            agents: how many.
            is_aborted: asked before each start; no further agent is started then.

        Raises:
            StackError: one cannot be started, or the scaling was aborted.
        """
        ...

    def agent_instances(self) -> tuple[AgentInstance, ...]:
        """The agents that run."""
        ...

    def service_identities(self) -> tuple[ServiceIdentity, ...]:
        """The services of Zone B that are always on."""
        ...


ReadConsumers = Callable[[], Mapping[str, int]]
ReadSignals = Callable[[], tuple[AgentSignals, ...]]


class ScaleRunner(BackgroundTask):
    """Executes the steps at their times.

    Args:
        steps: what is planned.
        start_ns: start of the measured phase, after t0.
        stack: whose agents are scaled.
        read_consumers: reads the pending events by consumer of the shared group.
        read_signals: reads the signals of the agents from the database.
        path: file of the evidence.
        clock: the host's clocks.
        wait: waits for the seconds, or until the event is set; whether it is.
    """

    def __init__(
        self,
        steps: tuple[ScaleStep, ...],
        start_ns: int,
        stack: ScalableStack,
        read_consumers: ReadConsumers,
        read_signals: ReadSignals,
        path: Path,
        clock: Clock,
        wait: Wait = threading.Event.wait,
    ) -> None:
        super().__init__(path, clock, wait)
        self._steps = steps
        self._start_ns = start_ns
        self._stack = stack
        self._read_consumers = read_consumers
        self._read_signals = read_signals
        self._thread: threading.Thread | None = None

    def start(self, t0_ns: int) -> None:
        """Begin the schedule of a load that starts at `t0_ns`.

        Raises:
            StackError: agents or services cannot be read.
            EvidenceError: the file cannot be written.
        """
        begin = ScaleBegin(
            mono_ns=self._clock.now_ns(),
            agents=self._stack.agent_instances(),
            services=self._stack.service_identities(),
        )
        self._append(format_scale_entry(begin))
        first_ns = t0_ns + self._start_ns
        self._thread = threading.Thread(
            target=self._run, args=(first_ns,), name="scale-out", daemon=True
        )
        self._thread.start()

    def stop(self, *, abort: bool = False) -> None:
        """Let agents under way start; no further agent and no further step. May be called twice."""
        del abort  # the load is over: there is nothing to wait for in either case
        self._abort.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                self._fail("a step of the scale-out did not end")

    def verify(self) -> None:
        """Read agents, services and signals after the load.

        Raises:
            EvidenceError: the file cannot be written.
        """
        troubles: list[str] = []

        def read(what: Callable[[], Any], otherwise: Any) -> Any:
            try:
                return what()
            except Exception as error:  # recorded: the evidence then lacks this part
                troubles.append(error_text(error))
                return otherwise

        end = ScaleEnd(
            mono_ns=self._clock.now_ns(),
            services=read(self._stack.service_identities, ()),
            consumers=read(self._read_consumers, {}),
            signals=read(self._read_signals, None),
            trouble="; ".join(troubles),
        )
        self._append(format_scale_entry(end))

    def _run(self, first_ns: int) -> None:
        for number, step in enumerate(self._steps, 1):
            record = ScaleStepRecord(
                number=number, wanted=step.agents, planned_ns=first_ns + step.at_ns
            )
            changes: dict[str, Any] = {}
            try:
                if self._until(record.planned_ns):
                    changes["trouble"] = "the load was over before its time came"
                else:
                    self._execute(record, changes)
            except Exception as error:  # of any kind: the step is recorded as failed
                changes["trouble"] = error_text(error)
                self._add_message(f"scale-out: {step.agents} agents: {error_text(error)}")
            try:
                self._append(format_scale_entry(record.model_copy(update=changes)))
            except EvidenceError as error:
                self._fail(str(error))

    def _execute(self, record: ScaleStepRecord, changes: dict[str, Any]) -> None:
        """Do a step; `changes` receives the fields of its record, also when it fails half way."""
        changes["before"] = self._stack.service_identities()
        changes["asked_ns"] = asked_ns = self._clock.now_ns()
        self._stack.scale(record.wanted, self._abort.is_set)
        changes["scaled_ns"] = scaled_ns = self._clock.now_ns()
        changes["agents"] = self._stack.agent_instances()
        changes["services"] = self._stack.service_identities()
        changes["consumers"] = dict(self._read_consumers())
        took_s = (scaled_ns - asked_ns) / NS_PER_S
        self._add_message(f"scale-out: {record.wanted} agents after {took_s:.1f} s")


def live_limits(pid: int) -> dict[str, int | None]:
    """The limits in force for a process; empty where they cannot be read."""
    try:
        limits = asdict(read_limits(pid))
    except StackError:
        return {}
    return {name: value for name, value in limits.items() if name not in _COUNTED}


def consumer_reader(endpoints: Endpoints, contract: Contract) -> ReadConsumers:
    """Reads the pending events by consumer of the group that agents share."""
    key, group = contract.key(contract.streams.chain_events or ""), contract.streams.agents_group

    def read() -> dict[str, int]:
        url = endpoints.redis_url.get_secret_value()
        with redis.Redis.from_url(
            url, socket_timeout=_REDIS_S, socket_connect_timeout=_REDIS_S
        ) as client:
            try:
                rows: Any = client.xinfo_consumers(key, group)
            except redis.RedisError as error:
                raise StackError(str(error), where=group) from error
        return {row["name"].decode("utf-8", "replace"): int(row["pending"]) for row in rows}

    return read


def signal_reader(endpoints: Endpoints, contract: Contract) -> ReadSignals:
    """Reads how many signals of each agent reached SIMULATED, and when the first one did."""

    def read() -> tuple[AgentSignals, ...]:
        conninfo = endpoints.observer_dsn.get_secret_value()
        try:
            with psycopg.connect(conninfo, application_name="harness_scale_out") as connection:
                connection.read_only = True
                connection.execute(f"SET statement_timeout = '{_QUERY_S}s'")
                rows = connection.execute(*_signals_query(contract)).fetchall()
        except psycopg.Error as error:
            raise StackError(str(error).strip(), where=contract.tasks.table) from error
        return tuple(
            AgentSignals(
                host=str(strategy).removeprefix(_STRATEGY_PREFIX),
                signals=signals,
                simulated=simulated,
                first_simulated_us=first,
            )
            for strategy, signals, simulated, first in rows
        )

    return read


def _signals_query(contract: Contract) -> tuple[sql.Composed, list[Any]]:
    reached = [
        status
        for status, state in contract.states.items()
        if state in (State.SIMULATED, State.BEYOND)
    ]
    query = sql.SQL(
        "SELECT strategy_id, count(*), count(*) FILTER (WHERE {status}::text = ANY(%s)),"
        " (extract(epoch FROM min({updated}) FILTER (WHERE {status}::text = ANY(%s)))"
        " * 1000000)::bigint FROM {table} WHERE strategy_id LIKE %s GROUP BY strategy_id"
        " ORDER BY strategy_id"
    ).format(
        status=sql.Identifier(contract.tasks.status),
        updated=sql.Identifier(contract.tasks.updated_at or "updated_at"),
        table=sql.Identifier(*contract.tasks.table.split(".")),
    )
    return query, [reached, reached, f"{_STRATEGY_PREFIX}%"]
