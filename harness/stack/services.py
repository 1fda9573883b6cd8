"""The reference services as data, so that every kind of stack starts the same ones."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from harness.process.program import Program
from harness.stack.ports import LOOPBACK
from harness.stack.restart import ALWAYS, RestartPolicy
from harness.stack.settings import StackSettings

ENGINE = "engine"
DATA_PROCESSOR = "data-processor"
PYTHON = "python3"
_HEALTH_MAX_S = 0.5


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One reference service.

    Attributes:
        argv: command line; `python3` stands for the interpreter of wherever it runs.
        env: its variables; secret values are marked by their type.
        http_port: where it serves `/healthz` and `/metrics`; 0 for a command that ends.
        policy: what happens when it ends.
    """

    name: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str | SecretStr], ...]
    http_port: int = 0
    policy: RestartPolicy = ALWAYS

    @property
    def metrics_url(self) -> str:
        """Its Prometheus page."""
        return f"http://{LOOPBACK}:{self.http_port}/metrics"


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where the services find their servers."""

    redis_url: SecretStr
    pg_dsn: SecretStr
    anvil_url: str | None = None


def migration(settings: StackSettings, wiring: Wiring) -> ServiceSpec:
    """The command that brings the database to its schema, and ends."""
    return ServiceSpec("migrate", (PYTHON, "-m", "zone_b.migrate"), _shared(settings, wiring))


def reference_services(
    settings: StackSettings, wiring: Wiring, http_ports: Mapping[str, int]
) -> tuple[ServiceSpec, ...]:
    """The services in the order of their start."""
    shared = _shared(settings, wiring)
    anvil = (("DEFI_ANVIL_URL", wiring.anvil_url),) if wiring.anvil_url else ()
    return (
        ServiceSpec(
            DATA_PROCESSOR,
            (PYTHON, "-m", "zone_b.data_processor"),
            (
                *shared,
                ("DEFI_HTTP_PORT", str(http_ports[DATA_PROCESSOR])),
                ("DEFI_BLOCK_TIME_S", str(settings.block_time_s)),
                ("DEFI_STREAM_MAXLEN", str(settings.contract.streams.chain_events_maxlen)),
            ),
            http_ports[DATA_PROCESSOR],
        ),
        ServiceSpec(
            ENGINE,
            (PYTHON, "-m", "zone_b.engine"),
            (
                *shared,
                *anvil,
                *_defects(settings),
                ("DEFI_HTTP_PORT", str(http_ports[ENGINE])),
                ("DEFI_WORKERS", str(settings.workers)),
                ("DEFI_WATERMARK_MAX_LAG", str(settings.watermark_max_lag)),
            ),
            http_ports[ENGINE],
        ),
    )


def as_program(spec: ServiceSpec, root: Path, folder: Path, log: Path) -> Program:
    """A service as a program of this host, run by this very interpreter."""
    argv = tuple(sys.executable if word == PYTHON else word for word in spec.argv)
    plain = tuple(
        (name, value.get_secret_value() if isinstance(value, SecretStr) else value)
        for name, value in spec.env
    )
    python = (("PYTHONPATH", str(root / "compose")), ("PYTHONUNBUFFERED", "1"))
    return Program(spec.name, argv, folder, log, (*plain, *python))


def is_healthy(port: int) -> bool:
    """Whether a service says that it is ready to work."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_HEALTH_MAX_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _defects(settings: StackSettings) -> tuple[tuple[str, str], ...]:
    if not settings.defects:
        return ()
    log = settings.defect_log.absolute() if settings.defect_log else ""
    return (("DEFI_DEFECTS", "; ".join(settings.defects)), ("DEFI_DEFECT_LOG", str(log)))


def _shared(settings: StackSettings, wiring: Wiring) -> tuple[tuple[str, str | SecretStr], ...]:
    return (
        ("DEFI_REDIS_URL", wiring.redis_url),
        ("DEFI_PG_DSN", wiring.pg_dsn),
        ("DEFI_PREFIX", settings.contract.prefix),
    )
