"""Whether a service answers whoever asks it, over a connection of its own."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

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
    def ask() -> str:
        status, _ = _http(metrics_url, "GET", "/healthz")
        return "its /healthz says 200" if status == http.client.OK else ""

    return ask


def read_health(metrics_url: str) -> str:
    """What a service says of its health; empty if it is not well."""
    status, body = _http(metrics_url, "GET", "/healthz")
    return body.decode("utf-8", "replace").strip() if status == http.client.OK else ""


def _node(url: str) -> HealthCheck:
    return lambda: "it tells its block number" if block_number(url) is not None else ""


def block_number(url: str) -> int | None:
    """The newest block of an RPC node; None if it does not tell."""
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    status, body = _http(url, "POST", "/", json.dumps(question))
    try:
        return int(json.loads(body)["result"], 16) if status == http.client.OK else None
    except (ValueError, KeyError, TypeError):
        return None


def _http(url: str, method: str, path: str, body: str = "") -> tuple[int, bytes]:
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 80
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request(method, path, body or None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(65_536)
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
