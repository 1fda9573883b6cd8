"""What PostgreSQL and Redis themselves say is in force."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.errors import StackError
from harness.stack.compose_file import ContainerSpec

# What every verdict rests on with any configuration: a commit that is acknowledged is on disk.
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
PASSWORD = "requirepass"  # noqa: S105 - a setting's name
_IS_SET = "set"
# How each server is asked.
SHOW = "SHOW"
CONFIG_GET = "CONFIG GET"
_TIMEOUT_S = 5


def postgres_settings(spec: ContainerSpec) -> dict[str, str]:
    """Settings that the service's command line gives with `-c`, and those a verdict rests on."""
    arguments = iter(spec.command)
    given = {}
    for argument in arguments:
        if argument == "-c":
            name, _, value = next(arguments, "").partition("=")
            given[name] = value
    return {**_DURABLE, **given}


def redis_settings(spec: ContainerSpec) -> dict[str, str]:
    """Settings that the service's command line writes into the server's configuration."""
    text = " ".join(spec.command)
    given = {
        name: match[1]
        for name in ("appendonly", "appendfsync", "dir", "maxmemory-policy")
        if (match := re.search(rf"(?:^|[\s\"]|\\n){name} ([^\s\"\\]+)", text))
    }
    return {**given, PASSWORD: _IS_SET}


def read_redis(url: SecretStr, names: Iterable[str]) -> dict[str, str]:
    """Settings as Redis's CONFIG GET reports them; of the password only whether it is asked for.

    Raises:
        StackError: the server does not report them.
    """
    try:
        with redis.Redis.from_url(
            url.get_secret_value(), socket_timeout=_TIMEOUT_S, decode_responses=True
        ) as client:
            found: Mapping[str, str] = client.config_get(*names)
            address = client.connection_pool.connection_kwargs
        settings = {name: value for name, value in found.items() if name != PASSWORD}
        if PASSWORD in names:
            is_set = bool(found.get(PASSWORD)) and _requires_password(address)
            settings[PASSWORD] = _IS_SET if is_set else "not asked for"
    except redis.RedisError as error:
        raise StackError(f"does not report its settings: {error}", where="redis") from error
    return settings


def _requires_password(address: Mapping[str, object]) -> bool:
    with redis.Redis(
        host=str(address["host"]),
        port=int(str(address["port"])),
        socket_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),  # to be refused is what is hoped for
    ) as anonymous:
        try:
            anonymous.ping()
        except redis.AuthenticationError:
            return True
    return False
