"""A system that already runs, from the run's point of view. Nothing of it is started or ended.

1. Redis and PostgreSQL are asked who they are.
2. Every name of the contract is looked for; what is missing is told before any load.
3. During the run both are asked now and then whether they are still the same processes.

The harness writes signals into the one stream, and nothing else anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg
import redis
from pydantic import SecretStr

from harness.attach.file import AttachFile
from harness.attach.streams import stream_problems
from harness.attach.tables import table_problems, unmapped_statuses
from harness.clock import NS_PER_S, Clock
from harness.contract.names import Contract
from harness.errors import StackError, UsageError
from harness.judge.grade import ATTACHED
from harness.observe.probes import redis_client
from harness.stack.base import Endpoints, ServiceState

ASK_EVERY_NS = 2 * NS_PER_S
_STATEMENT_MAX = "SET statement_timeout = '10s'"
_POSTGRES_FACTS = (
    "SELECT current_setting('server_version'), current_setting('track_commit_timestamp'),"
    " current_setting('wal_level'), pg_postmaster_start_time()::text"
)


class _Facts(NamedTuple):
    """What a server says of itself.

    Attributes:
        life: differs after a restart.
    """

    life: str
    told: dict[str, Any]


class AttachStack:
    """The system of a contract file.

    Args:
        file: the contract.
        env: where user names and passwords are.
        clock: when to ask whether the servers are still the same.
    """

    def __init__(self, file: AttachFile, env: Mapping[str, str], clock: Clock) -> None:
        self._file = file
        self._contract: Contract = file.contract()
        self._redis_url: SecretStr = file.redis.secret_url(env)
        self._conninfo: SecretStr = file.postgres.secret_conninfo(env)
        self._clock = clock
        self._asked_ns = 0
        self._lives: dict[str, str] = {}
        self._restarts = {"redis": 0, "postgres": 0}
        self._told: dict[str, Any] = {}

    def start(self) -> Endpoints:
        """Find out whether the system is there, as the contract describes it.

        Raises:
            StackError: a server does not answer.
            UsageError: it refuses the user, or has not what the contract names.
        """
        found_redis, stream_wrong = self._ask_redis_for_all()
        found_postgres, table_wrong, unmapped = self._ask_postgres_for_all()
        if wrong := [*stream_wrong, *table_wrong]:
            count = f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}"
            raise UsageError(
                "\n  - ".join([f"the system is not as the contract says, {count}", *wrong]),
                where=self._file.name,
                hint="correct the contract; `false` leaves out what the system does not have",
            )
        self._lives = {"redis": found_redis.life, "postgres": found_postgres.life}
        self._told = {
            "redis": {
                "at": self._file.redis.place,
                "database": self._file.redis.database,
                "tls": self._file.redis.url.startswith("rediss:"),
                **found_redis.told,
            },
            "postgres": {
                "at": self._file.postgres.place,
                "database": self._file.postgres.database,
                "sslmode": self._file.postgres.parts.get("sslmode", "prefer"),
                **found_postgres.told,
            },
            "statuses_beyond_simulated": list(unmapped),
        }
        return Endpoints(
            redis_url=self._redis_url, observer_dsn=self._conninfo, admin_dsn=self._conninfo
        )

    def services(self) -> tuple[ServiceState, ...]:
        """Redis and PostgreSQL; a restart of either is seen within seconds.

        A server that does not answer now is somebody else's trouble: sender and observer tell it.
        """
        now_ns = self._clock.now_ns()
        if now_ns - self._asked_ns >= ASK_EVERY_NS:
            self._asked_ns = now_ns
            with suppress(*HARMLESS):
                self._notice("redis", self._ask_redis().life)
            with suppress(*HARMLESS):
                self._notice("postgres", self._ask_postgres().life)
        return tuple(
            ServiceState(name, 0, True, restarts, None) for name, restarts in self._restarts.items()
        )

    def describe(self) -> dict[str, Any]:
        """What was attached, without secrets, and what keeps it from a sign-off."""
        seen = self._contract.seen
        reasons = [ATTACHED]
        if seen.way.is_word:
            reasons.append(
                f"SIMULATED was taken from what the system says in a {seen.way};"
                " the table was held against it only at the end"
            )
        elif self._told.get("postgres", {}).get("track_commit_timestamp") == "off":
            reasons.append("the server keeps no commit times: it is only known when a row was seen")
        return {
            "kind": "attach",
            "name": self._file.name,
            **self._told,
            "restarts": dict(self._restarts),
            "seen": seen.model_dump(mode="json"),
            "generator_apart": self._file.grade.generator_apart,
            "grade_reasons": reasons,
        }

    def stop(self) -> None:
        """Nothing was started."""

    def _notice(self, name: str, life: str) -> None:
        if self._lives.setdefault(name, life) != life:
            self._lives[name] = life
            self._restarts[name] += 1

    def _ask_redis(self) -> _Facts:
        with redis_client(self._redis_url.get_secret_value()) as client:
            return _redis_facts(client)

    def _ask_redis_for_all(self) -> tuple[_Facts, list[str]]:
        where = f"Redis at {self._file.redis.place}"
        try:
            with redis_client(self._redis_url.get_secret_value()) as client:
                return _redis_facts(client), stream_problems(client, self._contract)
        except redis.AuthenticationError as error:
            raise UsageError(str(error), where=where, hint=_LOGIN_HINT) from error
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            raise StackError(str(error), where=where, hint=_DOWN_HINT) from error
        except redis.RedisError as error:
            raise UsageError(str(error), where=where, hint=_RIGHTS_HINT) from error

    def _ask_postgres(self) -> _Facts:
        with psycopg.connect(self._conninfo.get_secret_value()) as connection:
            return _postgres_facts(connection)

    def _ask_postgres_for_all(self) -> tuple[_Facts, list[str], tuple[str, ...]]:
        where = f"PostgreSQL at {self._file.postgres.place}"
        try:
            with psycopg.connect(
                self._conninfo.get_secret_value(), application_name="harness_attach"
            ) as connection:
                connection.execute(_STATEMENT_MAX)
                facts = _postgres_facts(connection)
                wrong = table_problems(connection, self._contract)
                return facts, wrong, () if wrong else unmapped_statuses(connection, self._contract)
        except psycopg.OperationalError as error:
            told = str(error).strip()
            if any(word in told for word in _REFUSALS):
                raise UsageError(told, where=where, hint=_LOGIN_HINT) from error
            raise StackError(told, where=where, hint=_DOWN_HINT) from error
        except psycopg.Error as error:
            raise UsageError(str(error).strip(), where=where, hint=_RIGHTS_HINT) from error


HARMLESS = (redis.RedisError, psycopg.Error, OSError)
_REFUSALS = ("authentication failed", "does not exist", "no password supplied", "no pg_hba.conf")
_DOWN_HINT = "is it up, and can it be reached from here? The contract says where it is"
_LOGIN_HINT = "user_env and password_env of the contract name the variables that hold the login"
_RIGHTS_HINT = (
    "a login of Redis needs XADD on the signals, reading, INFO, TIME, MULTI and EXEC;"
    " one of PostgreSQL SELECT on the tables"
)


def _redis_facts(client: redis.Redis) -> _Facts:
    told: Any = client.info("server")
    # The stream is looked at within a transaction during the run, which a login may not be allowed.
    with client.pipeline(transaction=True) as pipe:
        pipe.time()
        pipe.execute()
    return _Facts(
        str(told["run_id"]),
        {"version": str(told["redis_version"]), "mode": str(told.get("redis_mode", ""))},
    )


def _postgres_facts(connection: psycopg.Connection[Any]) -> _Facts:
    row = connection.execute(_POSTGRES_FACTS).fetchone()
    version, commit_times, wal_level, started = row or ("", "", "", "")
    return _Facts(
        started,
        {"version": version, "track_commit_timestamp": commit_times, "wal_level": wal_level},
    )
