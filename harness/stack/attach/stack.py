"""A system that already runs, from the run's point of view. Nothing of it is started or ended.

1. Redis and PostgreSQL are asked who they are.
2. Every name of the contract is searched for; what is missing is reported before any load.
3. During the run both are asked now and then whether they are still the same processes.

The harness writes signals into the one stream, and nothing else anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
import redis
from pydantic import SecretStr

from harness.clock import NS_PER_S, Clock
from harness.contract.names import Contract
from harness.contract.observation import ObservationMethod
from harness.errors import Exit, StackError, UsageError
from harness.judge.grade import ATTACHED_REASON
from harness.observe.connection import connect
from harness.redis_connection import node_clients, redis_client
from harness.scenario import Scenario
from harness.stack.attach.check import PreflightCheck, exit_code_of
from harness.stack.attach.contract_file import AttachFile
from harness.stack.attach.method_check import external_method_reason
from harness.stack.attach.preflight import postgres_facts, redis_facts, run_preflight
from harness.stack.base import Endpoints, ServiceState

POLL_INTERVAL_NS = 2 * NS_PER_S


class AttachStack:
    """The system of a contract file.

    Args:
        file: the contract.
        env: where user names and passwords are.
        clock: when to ask whether the servers are still the same.
        scenario: what will be asked.
    """

    def __init__(
        self,
        file: AttachFile,
        env: Mapping[str, str],
        clock: Clock,
        scenario: Scenario | None = None,
    ) -> None:
        self._file = file
        self._env = env
        self._scenario = scenario
        self._contract: Contract = file.contract()
        self._redis_url: SecretStr = file.redis.secret_url(env)
        self._conninfo: SecretStr = file.postgres.secret_conninfo(env)
        self._clock = clock
        self._asked_ns = 0
        self._instance_ids: dict[str, str] = {}
        self._restarts = {"redis": 0, "postgres": 0}
        self._reported: dict[str, Any] = {}

    def start(self) -> Endpoints:
        """Find out whether the system is there, as the contract describes it.

        Raises:
            StackError: a server does not answer.
            UsageError: it refuses the user, or has not what the contract names.
        """
        found = run_preflight(self._file, self._env, self._scenario)
        refuse_bad(found.checks, self._file.name)
        assert found.redis is not None  # noqa: S101 - no check is bad
        assert found.postgres is not None  # noqa: S101 - the same
        self._instance_ids["postgres"] = found.postgres.instance_id
        self._notice_redis()
        self._reported = {
            "redis": {
                "at": self._file.redis.place,
                "database": self._file.redis.database,
                "tls": self._file.redis.is_tls,
                **found.redis.details,
            },
            "postgres": {
                "at": self._file.postgres.place,
                "database": self._file.postgres.database,
                "sslmode": self._file.postgres.parts.get("sslmode", "prefer"),
                **found.postgres.details,
            },
            "statuses_beyond_simulated": list(found.unexpected_statuses),
        }
        return Endpoints(
            redis_url=self._redis_url, observer_dsn=self._conninfo, admin_dsn=self._conninfo
        )

    def services(self) -> tuple[ServiceState, ...]:
        """Redis and PostgreSQL; a restart of either is seen within seconds.

        A server that does not answer now is reported by sender and observer.
        """
        now_ns = self._clock.now_ns()
        if now_ns - self._asked_ns >= POLL_INTERVAL_NS:
            self._asked_ns = now_ns
            with suppress(*HARMLESS):
                self._notice_redis()
            with suppress(*HARMLESS):
                self._notice("postgres", "postgres", self._ask_postgres())
        return tuple(
            ServiceState(name, 0, True, restarts, None) for name, restarts in self._restarts.items()
        )

    def describe(self) -> dict[str, Any]:
        """What was attached, without secrets, and what keeps it from a sign-off."""
        seen = self._contract.seen
        reasons = [ATTACHED_REASON]
        if not isinstance(seen.way, ObservationMethod):
            reasons.append(external_method_reason(seen.way.value))
        elif seen.way.is_self_reported:
            reasons.append(
                f"SIMULATED was read from what the system writes to a {seen.way};"
                " the table was held against it only at the end"
            )
        elif self._reported.get("postgres", {}).get("track_commit_timestamp") == "off":
            reasons.append("the server keeps no commit times: it is only known when a row was seen")
        return {
            "kind": "attach",
            "name": self._file.name,
            **self._reported,
            "restarts": dict(self._restarts),
            "seen": seen.model_dump(mode="json"),
            "generator_apart": self._file.grade.generator_apart,
            "grade_reasons": reasons,
        }

    def stop(self) -> None:
        """Nothing was started."""

    def _notice(self, service: str, server: str, life: str) -> None:
        if self._instance_ids.setdefault(server, life) != life:
            self._instance_ids[server] = life
            self._restarts[service] += 1

    def _notice_redis(self) -> None:
        """Ask each node of a cluster; a slot that moves to another node is no restart."""
        with redis_client(self._redis_url.get_secret_value()) as client:
            for place, node in node_clients(client).items():
                with suppress(*HARMLESS):
                    self._notice("redis", f"redis {place}".rstrip(), redis_facts(node).instance_id)

    def _ask_postgres(self) -> str:
        with connect(self._conninfo.get_secret_value()) as connection:
            return postgres_facts(connection).instance_id


HARMLESS = (redis.RedisError, psycopg.Error, OSError)


def refuse_bad(checks: Sequence[PreflightCheck], name: str) -> None:
    """Stop before the load if a check is not ok.

    Raises:
        StackError: a server cannot be reached or used now.
        UsageError: the system is not as the contract says.
    """
    wrong = [check for check in checks if check.is_failed]
    if not wrong:
        return
    count = f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}"
    lines = [f"{check.id}: {check.message}{_hinted(check)}" for check in wrong]
    error = StackError if exit_code_of(wrong) is Exit.STACK else UsageError
    raise error(
        "\n  - ".join([f"the system is not as the contract says, {count}", *lines]),
        where=name,
        hint="harness attach --check CONTRACT lists every check;"
        " `false` leaves out what the system does not have",
    )


def _hinted(check: PreflightCheck) -> str:
    return f"\n    {check.hint}" if check.hint else ""
