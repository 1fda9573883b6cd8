"""Reading every row of a stack: its containers, PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from pydantic import SecretStr

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.client import Client, engine_errors
from harness.stack.docker.container_config import config_of_spec
from harness.stack.docker.containers import Containers
from harness.stack.docker.labels import RUN, SERVICE, RunIdentity
from harness.stack.docker.live_container import LiveContainer, read_live
from harness.stack.docker.server_settings import (
    CONFIG_GET,
    SHOW,
    postgres_settings,
    read_redis,
    redis_settings,
)
from harness.stack.docker.settings import POSTGRES, REDIS, Zones
from harness.stack.docker.specification import Quota
from harness.stack.docker.verification_rows import (
    VerificationRow,
    absent_row,
    rows_of_container,
    rows_of_settings,
)
from harness.stack.postgres_roles import settings_in_force

# A container that is being restarted as its policy wants may take this long to be back.
_BACK_NS = 5 * NS_PER_S
_POLL_NS = 100 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class StackSelector:
    """Which containers are a stack's.

    Attributes:
        label: what each of them carries, `key=value`.
        service: key of the label that names its service.
        prefix: what its name begins with.
    """

    label: str
    service: str
    prefix: str

    @classmethod
    def of(cls, mark: RunIdentity) -> StackSelector:
        """Those of a stack that the harness started."""
        return cls(f"{RUN}={mark.token}", SERVICE, mark.name(""))


@dataclass(frozen=True, slots=True)
class Verifier:
    """Holds what is in force against what is specified.

    Attributes:
        quotas: the specification by service.
        admin_dsn: PostgreSQL's superuser.
        redis_url: URL with the password.
        members: whose containers are read; those of the placement's mark if absent.
    """

    client: Client
    containers: Containers
    zones: Zones
    quotas: Mapping[str, Quota]
    admin_dsn: SecretStr
    redis_url: SecretStr
    clock: Clock
    members: StackSelector | None = None

    def verify(self, when: str) -> tuple[VerificationRow, ...]:
        """Every row of Zone B and of those containers of Zone A that there are.

        What cannot be read is a row that is not met, so that one failure hides no other.
        """
        instances = self._instances()
        rows: list[VerificationRow] = []
        for spec in self.zones.b.services:
            rows += self._expected_rows(spec, instances.get(spec.name, ()))
        for spec in self.zones.a.services:
            rows += self._rows(spec, instances.get(spec.name, ()))
        return tuple(replace(row, when=when) for row in rows)

    def verify_one(self, name: str, when: str) -> tuple[VerificationRow, ...]:
        """The rows of one service of Zone B."""
        rows = self._expected_rows(self.zones.b.service(name), self._instances().get(name, ()))
        return tuple(replace(row, when=when) for row in rows)

    def live(self, spec: ContainerSpec, name: str) -> LiveContainer:
        """A container as it is in force; one that is about to be restarted is waited for.

        Raises:
            StackError: it cannot be read.
        """
        deadline_ns = self.clock.now_ns() + _BACK_NS
        while True:
            try:
                found = read_live(self.client, name, spec.name, self.containers.names)
                if found.pid or self.clock.now_ns() > deadline_ns or spec.restart.name == "no":
                    return found
            except StackError:  # it may have ended between two questions
                if self.clock.now_ns() > deadline_ns:
                    raise
            self.clock.sleep_ns(_POLL_NS)

    def _expected_rows(self, spec: ContainerSpec, names: tuple[str, ...]) -> list[VerificationRow]:
        if spec.on_demand and not names:
            return [absent_row(spec.name, found=False)]
        return self._rows(spec, names or (self._members().prefix + spec.name,))

    def _rows(self, spec: ContainerSpec, names: tuple[str, ...]) -> list[VerificationRow]:
        rows: list[VerificationRow] = []
        for name in names:
            called = spec.name if len(names) == 1 else name[len(self._members().prefix) :]
            rows += _readable(called, partial(self._container, spec, name, called))
        if spec.name == POSTGRES:
            rows += _readable(spec.name, partial(self._postgres, spec))
        if spec.name == REDIS:
            rows += _readable(spec.name, partial(self._redis, spec))
        return rows

    def _container(
        self, spec: ContainerSpec, name: str, called: str
    ) -> tuple[VerificationRow, ...]:
        wanted = config_of_spec(spec, self.containers.place)
        live = self.live(spec, name)
        return rows_of_container(called, spec, wanted, live, self.quotas.get(spec.name))

    def _postgres(self, spec: ContainerSpec) -> tuple[VerificationRow, ...]:
        specified = {**postgres_settings(spec), **self._settings(spec)}
        live = settings_in_force(self.admin_dsn.get_secret_value(), specified)
        return rows_of_settings(spec.name, SHOW, specified, live)

    def _redis(self, spec: ContainerSpec) -> tuple[VerificationRow, ...]:
        specified = {**redis_settings(spec), **self._settings(spec)}
        return rows_of_settings(
            spec.name, CONFIG_GET, specified, read_redis(self.redis_url, specified)
        )

    def _settings(self, spec: ContainerSpec) -> Mapping[str, str]:
        quota = self.quotas.get(spec.name)
        return quota.settings if quota else {}

    def _members(self) -> StackSelector:
        return self.members or StackSelector.of(self.containers.place.mark)

    def _instances(self) -> dict[str, tuple[str, ...]]:
        members = self._members()
        with engine_errors("verify"):
            listed = self.client.api.containers(all=True, filters={"label": members.label})
        found: dict[str, list[str]] = {}
        for entry in listed:
            found.setdefault(entry["Labels"].get(members.service, ""), []).append(
                entry["Names"][0].removeprefix("/")
            )
        return {service: tuple(sorted(names)) for service, names in found.items()}


def _readable(
    name: str, read: Callable[[], tuple[VerificationRow, ...]]
) -> tuple[VerificationRow, ...]:
    try:
        return read()
    except StackError as error:
        why = "; ".join(filter(None, (error.what, error.hint)))
        return (VerificationRow(name, "readable", "yes", why, ok=False),)
