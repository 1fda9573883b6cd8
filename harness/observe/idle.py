"""Whether a system has nothing left of an earlier run: its stream, its rows and its CPU."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import psycopg
import redis
from psycopg import sql

from harness.analysis.entry_ids import pack_id
from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.contract.names import Contract, State
from harness.errors import StackError
from harness.observe.connection import connect
from harness.observe.redis_facts import proposals_facts
from harness.observe.rows import is_own_row, limit_query_time, task_rows
from harness.redis_connection import key_client
from harness.stack.base import Endpoints, ServiceState
from harness.stack.shared import IdleProof
from harness.telemetry.process_tree import ProcessTree

IDLE_MAX_NS = 60 * NS_PER_S
_AGAIN_NS = 500 * NS_PER_MS
_CPU_SPAN_NS = NS_PER_S
_QUERY_MAX_NS = 20 * NS_PER_S
# Above what the services use without load: maintenance of PostgreSQL and blocks of the chain.
_BUSY_ABOVE_CORES = 0.25


@dataclass(slots=True)
class SystemIdleProbe:
    """Asks Redis, PostgreSQL and the kernel.

    Args:
        contract: names of stream, group and table.
        clock: for the time between two questions.
        is_dedicated: whether nobody else uses the system. Where others do, only rows of the
            harness's own run count.
        timeout_ns: the longest wait.
    """

    contract: Contract
    clock: Clock
    is_dedicated: bool = True
    timeout_ns: int = IDLE_MAX_NS
    _busy_max_cores: float | None = None

    def learn(self, services: tuple[ServiceState, ...]) -> None:
        """Measure for a second what the services of a new stack use."""
        idle_cores = self._busy_cores(services)
        self._busy_max_cores = None if idle_cores is None else idle_cores + _BUSY_ABOVE_CORES

    def prove(
        self, endpoints: Endpoints, services: tuple[ServiceState, ...], run_tag: int | None
    ) -> IdleProof:
        """Ask until nothing is left, or the time is over.

        Raises:
            StackError: a server does not answer.
        """
        start_ns = self.clock.now_ns()
        while True:
            unread, pending = self._group(endpoints) if self.is_dedicated else (None, None)
            open_rows = 0
            if not unread and not pending and run_tag is not None:
                open_rows = self._open_rows(endpoints, run_tag)
            busy_cores, is_idle = None, not (unread or pending or open_rows)
            if is_idle and self.is_dedicated:
                busy_cores = self._busy_cores(services)
                is_idle = busy_cores is None or busy_cores <= (self._busy_max_cores or busy_cores)
            waited_ns = self.clock.now_ns() - start_ns
            if is_idle or waited_ns >= self.timeout_ns:
                return IdleProof(
                    is_idle=is_idle,
                    waited_s=round(waited_ns / NS_PER_S, 3),
                    unread=unread,
                    pending=pending,
                    open_rows=open_rows,
                    busy_cores=busy_cores,
                    busy_max_cores=self._busy_max_cores,
                )
            self.clock.sleep_ns(_AGAIN_NS)

    def _group(self, endpoints: Endpoints) -> tuple[int | None, int | None]:
        """Entries that the engine's group has not read, and not acknowledged."""
        url = endpoints.redis_url.get_secret_value()
        key = self.contract.key(self.contract.streams.proposals)
        try:
            with closing(key_client(url, key)) as client:
                facts = proposals_facts(client, self.contract)
        except (redis.RedisError, OSError) as error:
            raise StackError(
                f"the engine's group cannot be read: {error}", where="redis"
            ) from error
        if facts is None:  # nothing was ever sent
            return 0, 0
        group = facts["engine_group"]
        if group is None:
            return None, None
        unread = group["lag"]
        if unread is None and facts["newest_id"] is not None:  # Redis before 7.0
            unread = int(pack_id(facts["newest_id"]) > pack_id(group["last_delivered_id"]))
        return unread, group["pending"]

    def _open_rows(self, endpoints: Endpoints, run_tag: int) -> int:
        """FSM rows of a run that are not final."""
        tasks = self.contract.tasks
        columns = {
            "trace": sql.Identifier(tasks.trace_id),
            "status": sql.SQL("lower(rtrim({}::text))").format(sql.Identifier(tasks.status)),
        }
        query = sql.SQL("SELECT count(*) FROM {rows} WHERE {own} AND status = ANY(%s)").format(
            rows=task_rows(tasks, columns), own=is_own_row(tasks, "trace")
        )
        initial = [
            status.lower() for status, state in self.contract.states.items() if state is State.INIT
        ]
        try:
            with connect(
                endpoints.observer_dsn.get_secret_value(), application_name="harness_idle"
            ) as connection:
                limit_query_time(connection, _QUERY_MAX_NS)
                row = connection.execute(query, (*tasks.run_range(run_tag), initial)).fetchone()
        except psycopg.Error as error:
            raise StackError(f"the rows cannot be read: {error}", where=tasks.table) from error
        return int(row[0]) if row else 0

    def _busy_cores(self, services: tuple[ServiceState, ...]) -> float | None:
        """CPU of all services within a second; None where their processes are not known."""
        trees = [ProcessTree(one.pid) for one in services if one.pid > 0]
        if not trees:
            return None
        try:
            known = sum(tree.sample() for tree in trees)
            start_ns = self.clock.now_ns()
            self.clock.sleep_ns(_CPU_SPAN_NS)
            for tree in trees:
                tree.sample()
            span_ns = max(1, self.clock.now_ns() - start_ns)
            return sum(tree.totals.cpu_ns for tree in trees) / span_ns if known else None
        finally:
            for tree in trees:
                tree.close()
