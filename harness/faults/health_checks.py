"""Whether a service answers, over a connection of its own.

The kinds of faults are loaded with every scenario, so the clients of the servers are imported only
where one is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from harness.errors import StackError
from harness.faults.instance import HealthCheck
from harness.http_client import OK, HttpClient
from harness.json_rpc import LostError, RefusedError, Rpc
from harness.stack.base import Endpoints

if TYPE_CHECKING:
    import psycopg
    import redis

ANSWER_TIMEOUT_S = 1.0


def health_checks(endpoints: Endpoints) -> dict[str, HealthCheck]:
    """A request for each service that can be asked, by its name."""
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
        with redis_session(url) as client:
            return "it answers PING" if client.ping() else ""
    except StackError:
        return ""


def redis_client(url: str, key: str = "") -> redis.Redis:
    """A client of one server that waits for a second and tries nothing twice.

    Of a cluster it is the node that serves `key`, or the first of the URL without a key.
    """
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from harness.redis_connection import RedisServers, is_cluster, node_url

    if is_cluster(url):
        servers = RedisServers.of(url)
        url = node_url(url, key) if key else servers.node_url(servers.places[0])
    return Redis.from_url(
        url,
        socket_timeout=ANSWER_TIMEOUT_S,
        socket_connect_timeout=ANSWER_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def redis_session(
    url: str, action: str = "does not answer", key: str = ""
) -> Iterator[redis.Redis]:
    """A client of Redis whose errors are those of a stack.

    Args:
        url: with the password.
        action: begins the message of an error.
        key: of a cluster, the key whose node is asked; the first node of the URL without it.

    Raises:
        StackError: Redis does not answer, or refuses.
    """
    from redis import RedisError

    try:
        with redis_client(url, key) as client:
            yield client
    except (RedisError, OSError) as error:
        raise StackError(f"{action}: {error}", where="redis") from error


def check_postgres(conninfo: str) -> str:
    """A SELECT over a new connection."""
    try:
        with postgres_session(conninfo) as session:
            session.execute("SELECT 1")
    except StackError:
        return ""
    return "it answers a query"


@contextmanager
def postgres_session(
    conninfo: str, action: str = "does not answer"
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection in autocommit; libpq waits two seconds at least.

    Args:
        conninfo: with the password.
        action: begins the message of an error.

    Raises:
        StackError: PostgreSQL does not answer, or refuses.
    """
    from psycopg import Error, connect

    try:
        with connect(
            conninfo, autocommit=True, connect_timeout=2, application_name="harness_faults"
        ) as session:
            yield session
    except Error as error:
        raise StackError(f"{action}: {error}", where="postgres") from error


def _health(metrics_url: str) -> HealthCheck:
    return lambda: "" if _healthz(metrics_url) is None else "its /healthz says 200"


def read_health(metrics_url: str) -> str:
    """The text of a service's health page; empty if it is not healthy."""
    return (_healthz(metrics_url) or b"").decode("utf-8", "replace").strip()


def _healthz(metrics_url: str) -> bytes | None:
    try:
        with HttpClient(metrics_url, ANSWER_TIMEOUT_S) as client:
            answer = client.get("/healthz")
    except OSError:
        return None
    return answer.body if answer.status == OK else None


def _node(url: str) -> HealthCheck:
    return lambda: "it reports its block number" if block_number(url) is not None else ""


def block_number(url: str) -> int | None:
    """The newest block of an RPC node; None if it does not answer."""
    try:
        with closing(Rpc(url, ANSWER_TIMEOUT_S)) as rpc:
            return rpc.number("eth_blockNumber")
    except (RefusedError, LostError, ValueError):
        return None
