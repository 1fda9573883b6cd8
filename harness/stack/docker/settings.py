"""What a stack of containers is asked to be, and the variables that the Compose files take."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import SecretStr

from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.scenario.agent_containers import AgentContainers
from harness.stack.compose_file import ComposeFile, ContainerSpec, read_compose
from harness.stack.docker.disks import data_volume
from harness.stack.docker.images import OURS
from harness.stack.docker.labels import Kind, RunIdentity
from harness.stack.docker.options import Placement
from harness.stack.ports import LOOPBACK
from harness.stack.settings import StackSettings

ENGINE = "go-execution-engine"
REDIS = "redis"
POSTGRES = "postgres"
ANVIL = "anvil"
AGENT = "python-agent"
# Listeners of the settings by service of the Compose file, where the names differ.
_LISTENERS = {ENGINE: "engine"}
# What the harness talks to: the servers, and every page with metrics.
_PORTS = {REDIS: 6379, POSTGRES: 5432}
_BARE_ENGINE = "golang:"
_REFERENCE = ("python3", "-m")
_METRICS_VARIABLE = "DEFI_HTTP_PORT"
# The first start of PostgreSQL makes its data folder.
READY_NS = 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class StackPasswords:
    """Passwords of one stack; letters and digits only, so that they read the same in a URL."""

    redis: SecretStr
    postgres: SecretStr
    observer: SecretStr

    @classmethod
    def random(cls) -> StackPasswords:
        """New ones."""
        return cls(*(SecretStr(secrets.token_hex(16)) for _ in range(3)))

    @classmethod
    def of(cls, redis: str, postgres: str) -> StackPasswords:
        """Those of a stack that stands already; its observer's stays unknown."""
        return cls(SecretStr(redis), SecretStr(postgres), SecretStr(""))

    def texts(self) -> tuple[str, ...]:
        """Every one, for redaction."""
        everyone = (self.redis, self.postgres, self.observer)
        return tuple(secret.get_secret_value() for secret in everyone if secret)


@dataclass(frozen=True, slots=True)
class DockerSettings:
    """Settings of the Docker stack.

    Attributes:
        stack: what every kind of stack is asked for.
        image_set: name of the set that the images are of.
        images: image variables, see `harness.stack.docker.images.image_variables`.
        kind: whether the containers live as long as the run or until `harness stack down`.
        agents: containers of the strategy zone, in addition to the swarm.
        free_agents: whether their limits are removed, to see what the limits are for.
        zone_a: whether the strategy zone's other services are started too.
        strategy: folder with the agents' code; the project's own if absent.
        own_disks: services whose data lies on a file system of its own, of limited size.
        variables: further variables of the Compose files.
        ready_ns: the longest that one service may take to become ready.
    """

    stack: StackSettings
    image_set: str
    images: Mapping[str, str]
    kind: Kind = Kind.RUN
    agents: int = 0
    free_agents: bool = False
    zone_a: bool = False
    strategy: Path | None = None
    own_disks: frozenset[str] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict)
    ready_ns: int = READY_NS

    @property
    def compose(self) -> Path:
        """The folder of the Compose files."""
        return self.stack.root / "compose"


@dataclass(frozen=True, slots=True)
class Zones:
    """The Compose files with their variables filled in."""

    a: ComposeFile
    b: ComposeFile

    def service(self, name: str) -> ContainerSpec:
        """A service of either zone."""
        in_a = any(spec.name == name for spec in self.a.services)
        return (self.a if in_a else self.b).service(name)


def read_zones(folder: Path, variables: Mapping[str, str]) -> Zones:
    """The Compose files as a stack fills them in.

    Raises:
        UsageError: a file cannot be read.
    """
    a = read_compose(folder / "zone-a.yaml", variables)
    b = read_compose(folder / "zone-b.yaml", variables)
    return Zones(a, replace(b, services=tuple(_own_or_foreign(spec) for spec in b.services)))


def _own_or_foreign(spec: ContainerSpec) -> ContainerSpec:
    """A team's image brings its own command, health check, user and need of capabilities."""
    if spec.command[:2] != _REFERENCE or spec.image.startswith(OURS):
        return spec
    return replace(spec, command=(), health=None, user="", cap_drop=(), cap_add=())


def make_placement(mark: RunIdentity, zones: Zones, folder: Path) -> Placement:
    """Where the containers of one stack go, before any port is published."""
    files = (zones.a, zones.b)
    networks = dict.fromkeys(key for file in files for key, _, _ in file.networks)
    volumes = dict.fromkeys(key for file in files for key in file.volumes)
    return Placement(
        mark=mark,
        networks={key: mark.name(key) for key in networks},
        volumes={key: mark.name(key) for key in volumes},
        folder=folder,
    )


def own_volumes(settings: DockerSettings, zone: ComposeFile) -> frozenset[str]:
    """The keys of the volumes that get a file system of their own.

    Raises:
        UsageError: a service has no volume.
    """
    return frozenset(data_volume(zone.service(name)) for name in settings.own_disks)


def secret_variables(passwords: StackPasswords) -> dict[str, str]:
    """Those variables of the Compose files that are secret."""
    return {
        "REDIS_PASSWORD": passwords.redis.get_secret_value(),
        "POSTGRES_PASSWORD": passwords.postgres.get_secret_value(),
    }


def open_variables(settings: DockerSettings) -> dict[str, str]:
    """The other variables of the Compose files."""
    stack = settings.stack
    strategy = {"STRATEGY_DIR": str(settings.strategy)} if settings.strategy else {}
    return {
        **settings.images,
        **strategy,
        "DEFI_PREFIX": stack.contract.prefix,
        "ENGINE_WORKERS": str(stack.workers),
        **{name.replace("DEFI_", "ENGINE_", 1): value for name, value in stack.service},
        "WATERMARK_MAX_LAG": str(stack.watermark_max_lag),
        "BLOCK_TIME_S": str(stack.block_time_s),
        "REDIS_MAXMEMORY": f"{stack.redis_maxmemory_mb}mb",
        "STREAM_MAXLEN": str(stack.contract.streams.chain_events_maxlen),
        **settings.variables,
    }


def agent_variables(asked: AgentContainers, contract: Contract) -> dict[str, str]:
    """What the variables of the Compose files say of the agents that a scenario asks for."""
    return {
        "AGENT_GROUP": contract.streams.agents_group if asked.shared_group else "",
        "AGENT_THINK_S": str(asked.think_s),
        "AGENT_CLAIM_AFTER_S": str(asked.claim_after_s),
    }


def always_on_services(zone: ComposeFile) -> tuple[ContainerSpec, ...]:
    """The services that run all the time, in the order of the file."""
    return tuple(spec for spec in zone.services if not spec.on_demand)


def start_levels(services: tuple[ContainerSpec, ...]) -> tuple[tuple[ContainerSpec, ...], ...]:
    """The services in groups, each of which needs only the groups before it.

    Raises:
        ValueError: services need each other in a circle.
    """
    names = {spec.name for spec in services}
    started: set[str] = set()
    levels = []
    rest = services
    while rest:
        level = tuple(spec for spec in rest if set(spec.needs) & names <= started)
        if not level:
            raise ValueError(f"need each other: {', '.join(spec.name for spec in rest)}")
        levels.append(level)
        started |= {spec.name for spec in level}
        rest = tuple(spec for spec in rest if spec.name not in started)
    return tuple(levels)


def published_port(spec: ContainerSpec) -> int | None:
    """The container's port that the harness talks to, if there is one."""
    if spec.name in _PORTS:
        return _PORTS[spec.name]
    metrics = dict(spec.environment).get(_METRICS_VARIABLE)
    return int(metrics) if metrics else None


def redis_url(port: int, passwords: StackPasswords, host: str = LOOPBACK) -> SecretStr:
    """URL of Redis."""
    return SecretStr(f"redis://:{passwords.redis.get_secret_value()}@{host}:{port}/0")


def metrics_urls(ports: Mapping[str, int]) -> dict[str, str]:
    """The pages with metrics on this host, by service.

    Args:
        ports: published ports by service.
    """
    return {
        name: f"http://{LOOPBACK}:{port}/metrics"
        for name, port in ports.items()
        if name not in _PORTS
    }


def configured_port(settings: DockerSettings, service: str) -> int | None:
    """The port of this host that the user chose for a service."""
    return settings.stack.ports.get(_LISTENERS.get(service, service))


def need_engine(engine: ContainerSpec) -> None:
    """Make sure that there is an engine to run.

    Raises:
        UsageError: the image is the bare one that an engine's image is built on.
    """
    if engine.image.startswith(_BARE_ENGINE):
        raise UsageError(
            f"{engine.image} is what an engine's image is built on, and holds no engine",
            where="images",
            hint="--image engine=IMAGE names yours",
        )


def migration(engine: ContainerSpec) -> ContainerSpec:
    """The command that brings the database to its schema, in the engine's image and network."""
    return replace(
        engine,
        name="migrate",
        command=("python3", "-m", "zone_b.migrate"),
        restart=replace(engine.restart, name="no", retries=0),
        health=None,
        mounts=(),
        core_unlimited=False,
    )
