"""The reference services as data, so that every kind of stack starts the same ones."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from harness.errors import UsageError
from harness.http_client import OK, HttpClient
from harness.process.faketime import ahead, find_library, variables
from harness.process.program import Program
from harness.stack.defect_catalogue import defects_of
from harness.stack.ports import LOOPBACK
from harness.stack.process.restart_policy import ALWAYS, RestartPolicy
from harness.stack.settings import RPC_PRIMARY, StackSettings

ENGINE = "engine"
DATA_PROCESSOR = "data-processor"
CHAIN_ADAPTER = "chain-adapter"
# How long a node may take for an answer, as in the Compose file.
_RPC_TIMEOUT_MS = "100"
PYTHON = "python3"
_HEALTH_MAX_S = 0.5
EVM_PACKAGE = "pyrevm"
HOW_TO_GET_EVM = (
    "pip install 'signal-harness[embedded]', on a Python that pyrevm has a wheel for"
    " (docs/install.md); or --stack docker, or --set signals.full_share=1 with Anvil"
)


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
    def url(self) -> str:
        """Where it is asked."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def metrics_url(self) -> str:
        """Its Prometheus page."""
        return f"{self.url}/metrics"


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where the services find their servers."""

    redis_url: SecretStr
    pg_dsn: SecretStr
    anvil_url: str | None = None


def migration(settings: StackSettings, wiring: Wiring) -> ServiceSpec:
    """The command that brings the database to its schema, and ends."""
    return ServiceSpec("migrate", (PYTHON, "-m", "zone_b.migrate"), _shared(settings, wiring))


def rpc_node_names(number: int) -> tuple[str, ...]:
    """So many RPC nodes, the primary first."""
    others = (f"rpc-fallback-{place}" for place in range(1, number))
    return (RPC_PRIMARY, *others) if number else ()


def http_listeners(settings: StackSettings) -> tuple[str, ...]:
    """Whatever of ours needs a port."""
    nodes = rpc_node_names(settings.rpc_nodes)
    return (DATA_PROCESSOR, ENGINE, *((CHAIN_ADAPTER, *nodes) if nodes else ()))


def rpc_nodes(
    settings: StackSettings, wiring: Wiring, http_ports: Mapping[str, int]
) -> tuple[ServiceSpec, ...]:
    """The RPC nodes, of a chain that is not there."""
    return tuple(
        ServiceSpec(
            name,
            (PYTHON, "-m", "zone_b.chain_node"),
            (
                *_shared(settings, wiring),
                *_defects(name, settings),
                ("DEFI_HTTP_PORT", str(http_ports[name])),
                ("DEFI_BLOCK_TIME_S", str(settings.block_time_s)),
            ),
            http_ports[name],
        )
        for name in rpc_node_names(settings.rpc_nodes)
    )


def reference_services(
    settings: StackSettings, wiring: Wiring, http_ports: Mapping[str, int]
) -> tuple[ServiceSpec, ...]:
    """The services in the order of their start."""
    shared = _shared(settings, wiring)
    anvil = (("DEFI_ANVIL_URL", wiring.anvil_url),) if wiring.anvil_url else ()
    adapter = _chain_adapter(settings, wiring, http_ports)
    state = tuple(
        ("DEFI_CHAIN_ADAPTER_URL", f"http://{LOOPBACK}:{one.http_port}") for one in adapter
    )
    return (
        *adapter,
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
                *state,
                *_defects(ENGINE, settings),
                *settings.service,
                ("DEFI_HTTP_PORT", str(http_ports[ENGINE])),
                ("DEFI_WORKERS", str(settings.workers)),
                ("DEFI_WATERMARK_MAX_LAG", str(settings.watermark_max_lag)),
            ),
            http_ports[ENGINE],
        ),
    )


def _chain_adapter(
    settings: StackSettings, wiring: Wiring, http_ports: Mapping[str, int]
) -> tuple[ServiceSpec, ...]:
    """The one door to the nodes; none without them."""
    nodes = rpc_node_names(settings.rpc_nodes)
    if not nodes:
        return ()
    urls = ",".join(f"http://{LOOPBACK}:{http_ports[name]}" for name in nodes)
    env = (
        *_shared(settings, wiring),
        ("DEFI_HTTP_PORT", str(http_ports[CHAIN_ADAPTER])),
        ("DEFI_RPC_URLS", urls),
        ("DEFI_RPC_TIMEOUT_MS", _RPC_TIMEOUT_MS),
        ("DEFI_WATERMARK_MAX_LAG", str(settings.watermark_max_lag)),
    )
    argv = (PYTHON, "-m", "zone_b.chain_adapter")
    return (ServiceSpec(CHAIN_ADAPTER, argv, env, http_ports[CHAIN_ADAPTER]),)


def as_program(spec: ServiceSpec, root: Path, folder: Path, log: Path) -> Program:
    """A service as a program of this host, run by this very interpreter."""
    argv = (sys.executable, "-P", *spec.argv[1:])
    plain = tuple(
        (name, value.get_secret_value() if isinstance(value, SecretStr) else value)
        for name, value in spec.env
    )
    python = (
        ("PYTHONPATH", str(root / "compose")),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONSAFEPATH", "1"),
    )
    return Program(spec.name, argv, folder, log, (*plain, *python))


def need_clocks(settings: StackSettings) -> None:
    """Make sure that the clocks that are to be set can be.

    Raises:
        UsageError: libfaketime is not installed.
    """
    if settings.stepped and not find_library():
        raise UsageError(
            f"the clock of {', '.join(sorted(settings.stepped))} cannot be set without libfaketime",
            where="clock_step",
            hint="Debian's package is called faketime",
        )


def need_evm() -> None:
    """Make sure that the reference engine can simulate in memory.

    Raises:
        UsageError: its EVM is not installed.
    """
    if importlib.util.find_spec(EVM_PACKAGE) is None:
        raise UsageError(
            f"the reference engine has no EVM: {EVM_PACKAGE} is not installed",
            where="process stack",
            hint=HOW_TO_GET_EVM,
        )


def with_clock(program: Program) -> Program:
    """The same program with a wall clock that a file in its folder moves; not yet moved."""
    file = program.folder / "clock"
    file.write_text(ahead(0.0), encoding="ascii")
    return replace(program, env=(*program.env, *variables(find_library(), file)))


def is_healthy(port: int) -> bool:
    """Whether a service says that it is ready to work."""
    try:
        with HttpClient(f"http://{LOOPBACK}:{port}", _HEALTH_MAX_S) as client:
            return client.get("/healthz").status == OK
    except OSError:
        return False


def _defects(service: str, settings: StackSettings) -> tuple[tuple[str, str], ...]:
    own = defects_of(service, settings.defects, settings.root)
    if not own:
        return ()
    log = settings.defect_log.absolute() if settings.defect_log else ""
    return (("DEFI_DEFECTS", "; ".join(own)), ("DEFI_DEFECT_LOG", str(log)))


def _shared(settings: StackSettings, wiring: Wiring) -> tuple[tuple[str, str | SecretStr], ...]:
    return (
        ("DEFI_REDIS_URL", wiring.redis_url),
        ("DEFI_PG_DSN", wiring.pg_dsn),
        ("DEFI_PREFIX", settings.contract.prefix),
    )
