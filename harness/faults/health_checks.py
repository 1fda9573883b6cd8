"""Whether a service answers whoever asks it, over a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.http_client import OK, HttpClient
from harness.json_rpc import LostError, RefusedError, Rpc
from harness.stack.base import Endpoints

ANSWER_TIMEOUT_S = 1.0
# Gives what shows that it answers; empty if it does not.
HealthCheck = Callable[[], str]


def health_checks(endpoints: Endpoints) -> dict[str, HealthCheck]:
    """A question for each service that can be asked, by its name."""
    found: dict[str, HealthCheck] = {
        "redis": lambda: check_redis(endpoints.redis_url.get_secret_value()),
        "postgres": lambda: check_postgres(endpoints.admin_dsn.get_secret_value()),
    }
    for name, url in endpoints.metrics_urls.items():
        found[name] = _health(url)
    if endpoints.anvil_url is not None:
        found["anvil"] = _node(endpoints.anvil_url)
    return found


def check_redis(url: str) -> str:
    """A PING."""
    try:
        with redis_client(url) as client:
            return "it answers PING" if client.ping() else ""
    except (redis.RedisError, OSError):
        return ""


def redis_client(url: str) -> redis.Redis:
    """A client that waits for a second and tries nothing twice."""
    return redis.Redis.from_url(
        url,
        socket_timeout=ANSWER_TIMEOUT_S,
        socket_connect_timeout=ANSWER_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def check_postgres(conninfo: str) -> str:
    """A SELECT over a new connection."""
    try:
        with postgres_session(conninfo) as session:
            session.execute("SELECT 1")
    except psycopg.Error:
        return ""
    return "it answers a query"


def postgres_session(conninfo: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection in autocommit; libpq waits two seconds at least.

    Errors of psycopg pass through.
    """
    return psycopg.connect(
        conninfo, autocommit=True, connect_timeout=2, application_name="harness_faults"
    )


def _health(metrics_url: str) -> HealthCheck:
    return lambda: "" if _healthz(metrics_url) is None else "its /healthz says 200"


def read_health(metrics_url: str) -> str:
    """What a service says of its health; empty if it is not well."""
    return (_healthz(metrics_url) or b"").decode("utf-8", "replace").strip()


def _healthz(metrics_url: str) -> bytes | None:
    try:
        with HttpClient(metrics_url, ANSWER_TIMEOUT_S) as client:
            answer = client.get("/healthz")
    except OSError:
        return None
    return answer.body if answer.status == OK else None


def _node(url: str) -> HealthCheck:
    return lambda: "it tells its block number" if block_number(url) is not None else ""


def block_number(url: str) -> int | None:
    """The newest block of an RPC node; None if it does not tell."""
    try:
        with closing(Rpc(url, ANSWER_TIMEOUT_S)) as rpc:
            return rpc.number("eth_blockNumber")
    except (RefusedError, LostError, ValueError):
        return None
