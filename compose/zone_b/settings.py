"""The services' settings: environment variables with the prefix `DEFI_`, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


class SettingsError(ValueError):
    """A variable is missing or has a value that cannot be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of every service of Zone B.

    Attributes:
        redis_url: with password, `redis://` or `rediss://`; of a cluster `redis+cluster://` or
            `rediss+cluster://` with `host:port` of one node or more, joined by commas.
        pg_dsn: libpq conninfo of the role that owns the tables.
        prefix: environment prefix of every Redis key.
        http_host: address that metrics and health are served on.
        http_port: their port; 0 serves nothing.
        workers: worker processes of the engine.
        engine_id: name of this engine in its consumer group and in the nonce locks.
        watermark_max_lag: blocks that the head may be past a signal before it is stale.
        anvil_url: node for full simulation, if there is one.
        chain_adapter_url: where simulation in memory gets the state of a block from; empty where
            the state is always the same.
        full_first_in_block: simulate a strategy's first signal of a block in full.
        block_time_s: seconds between two blocks of the data processor.
        stream_maxlen: entries that the chain events are trimmed to, about.
        batch_max: most signals that a worker takes at once.
        defects: named defects to be switched on; see `zone_b.defects`.
        defect_log: file that records what they did.
        service: `token_bucket` or `mmc`, of an engine with a known capacity; see
            `zone_b.known_capacity`. Empty: as fast as it can.
        service_rate: signals/s of it.
        service_servers: servers that share the rate.
    """

    redis_url: str = field(repr=False)
    pg_dsn: str = field(default="", repr=False)
    prefix: str = "dev:"
    http_host: str = "127.0.0.1"
    http_port: int = 0
    workers: int = 2
    engine_id: str = "engine"
    watermark_max_lag: int = 2
    anvil_url: str = ""
    chain_adapter_url: str = ""
    full_first_in_block: bool = False
    block_time_s: float = 2.0
    stream_maxlen: int = 10_000
    batch_max: int = 64
    defects: str = ""
    defect_log: str = ""
    service: str = ""
    service_rate: float = 1.0
    service_servers: int = 1

    @property
    def proposals_key(self) -> str:
        """Redis key of the signals."""
        return f"{self.prefix}stream:agent:proposals"

    @property
    def chain_events_key(self) -> str:
        """Redis key of the chain events."""
        return f"{self.prefix}stream:chain:events"


def read_settings(env: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment.

    Raises:
        SettingsError: a value is missing or out of range; the message names the variable and,
            since it may be a secret, never its value.
    """
    url = env.get("DEFI_REDIS_URL", "")
    if not url:
        raise SettingsError("DEFI_REDIS_URL is missing: set it to redis://:password@host:port/0")
    workers = _whole(env, "DEFI_WORKERS", 2, 1, 64)
    return Settings(
        redis_url=url,
        pg_dsn=env.get("DEFI_PG_DSN", ""),
        prefix=env.get("DEFI_PREFIX", "dev:"),
        http_host=env.get("DEFI_HTTP_HOST", "127.0.0.1"),
        http_port=_whole(env, "DEFI_HTTP_PORT", 0, 0, 65_535),
        workers=workers,
        engine_id=env.get("DEFI_ENGINE_ID", "engine"),
        watermark_max_lag=_whole(env, "DEFI_WATERMARK_MAX_LAG", 2, 0, 1_000_000),
        anvil_url=env.get("DEFI_ANVIL_URL", ""),
        chain_adapter_url=env.get("DEFI_CHAIN_ADAPTER_URL", ""),
        full_first_in_block=bool(_whole(env, "DEFI_FULL_FIRST_IN_BLOCK", 0, 0, 1)),
        block_time_s=_number(env, "DEFI_BLOCK_TIME_S", 2.0, 3600.0),
        stream_maxlen=_whole(env, "DEFI_STREAM_MAXLEN", 10_000, 1, 1_000_000_000),
        batch_max=_whole(env, "DEFI_BATCH_MAX", 64, 1, 1_000),
        defects=env.get("DEFI_DEFECTS", "").strip(),
        defect_log=env.get("DEFI_DEFECT_LOG", ""),
        service=_service(env, workers),
        service_rate=_number(env, "DEFI_SERVICE_RATE", 1.0, 100_000.0),
        service_servers=_whole(env, "DEFI_SERVICE_SERVERS", 1, 1, 64),
    )


def _service(env: Mapping[str, str], workers: int) -> str:
    service = env.get("DEFI_SERVICE", "")
    if service not in ("", "token_bucket", "mmc"):
        raise SettingsError("DEFI_SERVICE must be token_bucket or mmc")
    if service and workers != 1:
        raise SettingsError("DEFI_SERVICE needs DEFI_WORKERS=1: one worker keeps the queue")
    if service and env.get("DEFI_DEFECTS", "").strip():
        raise SettingsError("DEFI_SERVICE and DEFI_DEFECTS exclude each other")
    return service


def _whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, "") or str(default)
    try:
        value = int(text)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} must lie between {low} and {high}, not {value}")
    return value


def _number(env: Mapping[str, str], name: str, default: float, high: float) -> float:
    try:
        value = float(env.get(name, "") or default)
    except ValueError:
        raise SettingsError(f"{name} must be a number") from None
    if not 0 < value <= high:
        raise SettingsError(f"{name} must lie above 0 and at most at {high:g}, not {value:g}")
    return value
