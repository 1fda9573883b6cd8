"""The Compose files hold exactly the quotas that the specification gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.stack.compose_file import ComposeFile, RestartSpec, read_compose, size_bytes

COMPOSE = Path(__file__).resolve().parents[3] / "compose"
VARIABLES = {"REDIS_PASSWORD": "r", "POSTGRES_PASSWORD": "p"}
MIB, GIB = 1024**2, 1024**3

# Section 5 of the specification, v1.0: container, CPU cores, memory in bytes, restart policy.
SECTION_5 = {
    "zone-b.yaml": {
        "go-execution-engine": (4.0, 8 * GIB, RestartSpec("always")),
        "redis": (2.0, 4 * GIB, RestartSpec("always")),
        "anvil": (2.0, 4 * GIB, RestartSpec("no")),
        "postgres": (2.0, 4 * GIB, RestartSpec("always")),
        "mev-router": (1.0, 512 * MIB, RestartSpec("always")),
        "data-processor": (1.0, 1 * GIB, RestartSpec("always")),
        "chain-adapter": (1.0, 1 * GIB, RestartSpec("always")),
        "archiver": (0.5, 1 * GIB, RestartSpec("always")),
    },
    "zone-a.yaml": {
        "python-agent": (1.0, 2 * GIB, RestartSpec("on-failure", 3)),
        "ai-feedback-service": (0.5, 1 * GIB, RestartSpec("on-failure")),
        "admin-portal": (0.5, 512 * MIB, RestartSpec("always")),
    },
}
ROWS = [(file, name) for file, rows in SECTION_5.items() for name in rows]


def read(file: str) -> ComposeFile:
    """One of the project's Compose files."""
    return read_compose(COMPOSE / file, VARIABLES)


@pytest.mark.parametrize(("file", "name"), ROWS)
def test_quota_is_the_specified_one(file: str, name: str) -> None:
    """CPU, memory and restart policy of each row of the specification's section 5."""
    service = read(file).service(name)
    assert (service.cpus, service.memory_bytes, service.restart) == SECTION_5[file][name]


@pytest.mark.parametrize("file", SECTION_5)
def test_no_service_is_missing_or_added(file: str) -> None:
    """Each container of the specification, and no other."""
    assert {service.name for service in read(file).services} == set(SECTION_5[file])


@pytest.mark.parametrize(("file", "name"), ROWS)
def test_swap_is_limited_to_the_memory_limit(file: str, name: str) -> None:
    """Without it a container could use its limit twice."""
    service = read(file).service(name)
    assert service.memory_swap_bytes == service.memory_bytes


def test_what_sections_2_and_3_say_beside_the_quotas() -> None:
    """Shares, volumes, tmpfs, networks and settings of single containers."""
    zone_a, zone_b = read("zone-a.yaml"), read("zone-b.yaml")
    engine = zone_b.service("go-execution-engine")
    assert engine.cpu_shares == 1024
    assert engine.core_unlimited
    assert {mount.source for mount in engine.mounts} == {"engine-cache", "engine-cores"}
    anvil = zone_b.service("anvil")
    assert anvil.on_demand
    assert anvil.tmpfs
    assert not anvil.ports
    assert anvil.networks == ("sandbox_net",)
    postgres = zone_b.service("postgres")
    assert "shared_buffers=1GB" in postgres.command
    assert "effective_cache_size=3GB" in postgres.command
    assert postgres.mounts
    assert "appendonly yes" in " ".join(zone_b.service("redis").command)
    agent = zone_a.service("python-agent")
    assert all(mount.read_only for mount in agent.mounts)
    assert agent.networks == ("intelligence_net",)


def test_zones_meet_only_where_they_should() -> None:
    """Zone A reaches Redis alone, and Zone C's network is internal and empty."""
    zone_a, zone_b = read("zone-a.yaml"), read("zone-b.yaml")
    shared = [s.name for s in zone_b.services if "intelligence_net" in s.networks]
    assert shared == ["redis"]
    everyone = (*zone_a.services, *zone_b.services)
    assert not [s.name for s in everyone if "fortress_net" in s.networks]
    assert ("fortress_net", "fortress_net", True) in zone_b.networks


def test_no_secret_in_a_command() -> None:
    """Passwords travel by environment, where other users of the host cannot read them."""
    secrets = {"REDIS_PASSWORD": "hush-redis", "POSTGRES_PASSWORD": "hush-postgres"}
    for file in SECTION_5:
        for service in read_compose(COMPOSE / file, secrets).services:
            text = " ".join((*service.command, *service.entrypoint))
            assert not [secret for secret in secrets.values() if secret in text]


def test_missing_variable_is_named() -> None:
    """A required variable that is not set is an error with its name and a hint."""
    with pytest.raises(UsageError, match="REDIS_PASSWORD is not set"):
        read_compose(COMPOSE / "zone-b.yaml", {})


def test_unknown_key_is_an_error(tmp_path: Path) -> None:
    """A quota that the harness would not understand is never ignored."""
    path = tmp_path / "zone.yaml"
    path.write_text("services: {a: {image: x, cpus: 2, mem_limit: 1g}}", encoding="utf-8")
    with pytest.raises(UsageError, match="keys not supported: cpus"):
        read_compose(path, {})


@pytest.mark.parametrize(("text", "size"), [("512m", 512 * MIB), ("4G", 4 * GIB), (77, 77)])
def test_sizes(text: str | int, size: int) -> None:
    """Compose sizes are powers of 1024."""
    assert size_bytes(text) == size
