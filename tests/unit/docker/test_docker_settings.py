"""What a stack of containers is asked to be, and who may know what of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.stack.compose_file import ContainerSpec, RestartSpec
from harness.stack.docker.images import image_variables
from harness.stack.docker.labels import Kind, Owner, RunIdentity, is_stale
from harness.stack.docker.provenance import (
    CORES_TO_VOLUME,
    core_pattern,
    grade_reasons,
    starts_with,
)
from harness.stack.docker.server_settings import postgres_settings, redis_settings
from harness.stack.docker.settings import (
    ENGINE,
    DockerSettings,
    StackPasswords,
    always_on_services,
    configured_port,
    migration,
    need_engine,
    open_variables,
    own_volumes,
    published_port,
    read_zones,
    secret_variables,
    start_levels,
)
from harness.stack.docker.specification import read_specification
from harness.stack.settings import ROOT, StackSettings
from tests.unit.docker.samples import spec

COMPOSE = ROOT / "compose"
SETTINGS = DockerSettings(
    StackSettings(ports={"engine": 17_777}, workers=3, redis_maxmemory_mb=96),
    "offline",
    image_variables(COMPOSE / "images", "offline"),
)
PASSWORDS = StackPasswords.random()
ZONES = read_zones(COMPOSE, {**open_variables(SETTINGS), **secret_variables(PASSWORDS)})


def test_a_disk_of_its_own_is_that_of_the_data() -> None:
    """And no volume has one without being asked for."""
    assert own_volumes(SETTINGS, ZONES.b) == frozenset()
    asked = replace(SETTINGS, own_disks=frozenset({"redis", "postgres", ENGINE}))
    assert own_volumes(asked, ZONES.b) == {"redis-data", "postgres-data", "engine-cache"}


def test_servers_come_first_and_dependents_after() -> None:
    """Redis and PostgreSQL, then all that need them; Anvil is not among them."""
    first, second = start_levels(always_on_services(ZONES.b))
    assert {service.name for service in first} == {"redis", "postgres"}
    assert len(second) == 5


def test_a_circle_of_needs_is_an_error() -> None:
    """Instead of waiting for ever."""
    circle = (spec(name="a", needs=("b",)), spec(name="b", needs=("a",)))
    with pytest.raises(ValueError, match="need each other: a, b"):
        start_levels(circle)


@given(st.lists(st.sets(st.integers(0, 7)), min_size=1, max_size=8))
def test_nobody_starts_before_what_it_needs(needs: list[set[int]]) -> None:
    """For any needs without a circle: all in one level each, none before what it needs."""
    services = tuple(
        spec(name=str(n), needs=tuple(str(m) for m in wanted if m < n))
        for n, wanted in enumerate(needs)
    )
    started: set[str] = set()
    for level in start_levels(services):
        assert all(set(service.needs) <= started for service in level)
        started |= {service.name for service in level}
    assert started == {service.name for service in services}


def test_only_what_the_harness_needs_is_published() -> None:
    """Servers and pages with metrics; never Anvil."""
    ports = {service.name: published_port(service) for service in ZONES.b.services}
    assert ports == {
        "redis": 6379,
        "postgres": 5432,
        "anvil": None,
        **dict.fromkeys(
            (ENGINE, "mev-router", "data-processor", "chain-adapter", "archiver"), 9100
        ),
    }


def test_a_port_can_be_chosen() -> None:
    """Under the name that the engine has in every kind of stack."""
    assert configured_port(SETTINGS, ENGINE) == 17_777
    assert configured_port(SETTINGS, "redis") is None


def test_settings_reach_the_services() -> None:
    """The scenario's figures become variables of the containers."""
    assert dict(ZONES.service(ENGINE).environment)["DEFI_WORKERS"] == "3"
    assert "maxmemory 96mb" in ZONES.service("redis").command[-1]


def test_a_service_rate_reaches_the_engine() -> None:
    """Empty in the files without one."""
    stack = replace(SETTINGS.stack, service=(("DEFI_SERVICE", "mmc"),))
    asked = {**open_variables(replace(SETTINGS, stack=stack)), **secret_variables(PASSWORDS)}
    for variables, value in (({}, ""), (asked, "mmc")):
        zones = read_zones(COMPOSE, variables) if variables else ZONES
        assert dict(zones.service(ENGINE).environment)["DEFI_SERVICE"] == value


def test_no_password_is_in_what_a_label_tells() -> None:
    """The variables that are kept for another process hold none."""
    text_of_all = str(open_variables(SETTINGS))
    assert not [text for text in PASSWORDS.texts() if text in text_of_all]
    assert not [text for text in PASSWORDS.texts() if text in repr(PASSWORDS)]


def test_the_migration_ends_for_good() -> None:
    """One container, one try, in the engine's image and with its database."""
    made = migration(ZONES.service(ENGINE))
    assert made.restart == RestartSpec("no")
    assert made.image == ZONES.service(ENGINE).image
    assert not made.mounts
    assert dict(made.environment)["DEFI_PG_DSN"]


def test_every_container_has_its_row_of_the_specification() -> None:
    """And none is specified that is not there."""
    specified = read_specification(COMPOSE)
    services = {s.name for s in (*ZONES.a.services, *ZONES.b.services)}
    assert set(specified) == services


@pytest.mark.parametrize("service", [*ZONES.a.services, *ZONES.b.services], ids=lambda s: s.name)
def test_the_compose_files_say_what_the_specification_says(service: ContainerSpec) -> None:
    """CPU, memory, restart, shares, core dumps, read-only code."""
    quota = read_specification(COMPOSE)[service.name]
    assert (service.cpus, service.memory_bytes) == (quota.cpus, quota.memory_bytes)
    assert service.restart == quota.policy
    assert quota.cpu_shares in (None, service.cpu_shares)
    assert service.core_unlimited is quota.core_dumps
    assert bool(service.tmpfs) is quota.tmpfs
    if quota.read_only_code:
        assert all(mount.read_only for mount in service.mounts)


def test_the_engine_has_the_highest_shares() -> None:
    """1024 is everybody's default: it is a priority only when the others have less."""
    shares = {s.name: s.cpu_shares for s in (*ZONES.a.services, *ZONES.b.services)}
    assert shares.pop(ENGINE) > max(shares.values())
    assert min(shares.values()) > 0


def test_a_wrong_specification_is_reported(tmp_path: Path) -> None:
    """With the file's name."""
    (tmp_path / "specification.toml").write_text("[redis]\ncpus = 0", encoding="utf-8")
    with pytest.raises(UsageError, match=r"specification\.toml"):
        read_specification(tmp_path)


def test_settings_of_the_servers_are_read_from_their_commands() -> None:
    """What the Compose file asks for, and what every verdict rests on."""
    postgres = postgres_settings(ZONES.service("postgres"))
    assert postgres["shared_buffers"] == "1GB"
    assert postgres["fsync"] == "on"
    assert redis_settings(ZONES.service("redis")) == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "dir": "/data",
        "maxmemory-policy": "noeviction",
        "requirepass": "set",
    }


def test_reasons_against_a_sign_off() -> None:
    """Other images, reference services, too few CPUs: one sentence each."""
    quotas = read_specification(COMPOSE)
    assert quotas["redis"].image == "redis:7.2-alpine"
    assert quotas["mev-router"].image is None
    images: dict[str, dict[str, Any]] = {
        "redis": {"image": "mine:1", "specified": "redis:7.2-alpine", "as_specified": False},
        "archiver": {
            "image": "signal-harness/reference:offline",
            "specified": None,
            "as_specified": False,
        },
        "postgres": {"image": "p:16", "specified": "p:16", "as_specified": True},
    }
    assert grade_reasons(ZONES.b.services, images, cpus=2, core_goes_to="elsewhere") == [
        "redis runs mine:1, specified is redis:7.2-alpine or an image built on it",
        "archiver is a reference service of the harness, not the real one",
        "the host has 2 CPUs and the quotas of Zone B add up to 13.5: containers compete before"
        " they reach their quotas, so a PASS holds for this slower host, a FAIL may be the host's,"
        " and no run here is a sign-off",
        "the host's core_pattern sends core files to elsewhere",
    ]
    assert grade_reasons(ZONES.b.services, {}, cpus=32, core_goes_to=CORES_TO_VOLUME) == []


@pytest.mark.parametrize(
    ("layers", "base", "is_built_on"),
    [
        (("a", "b", "c"), ("a", "b"), True),
        (("a", "b"), ("a", "b"), True),
        (("a", "c"), ("a", "b"), False),
        (("a",), ("a", "b"), False),
        (("a", "b"), (), False),
    ],
)
def test_an_image_built_on_another(
    layers: tuple[str, ...], base: tuple[str, ...], is_built_on: bool
) -> None:
    """Its layers begin with the other's; of an image that is not at hand nothing is known."""
    assert starts_with(layers, base) is is_built_on


@pytest.mark.parametrize(
    ("pattern", "goes_to"),
    [
        ("core", CORES_TO_VOLUME),
        ("core.%p", CORES_TO_VOLUME),
        ("/var/crash/core.%e", CORES_TO_VOLUME),
        ("/cores/%p", "/cores/%p in the container"),
        ("|/usr/lib/systemd/systemd-coredump %P", "a program of the host"),
    ],
)
def test_where_core_files_go(tmp_path: Path, pattern: str, goes_to: str) -> None:
    """By the host's pattern, which every container shares."""
    (tmp_path / "core_pattern").write_text(pattern + "\n", encoding="ascii")
    assert core_pattern(tmp_path / "core_pattern")["goes_to"] == goes_to


def test_a_teams_engine_brings_its_own_command_and_check() -> None:
    """Its quotas stay the specified ones."""
    images = image_variables(COMPOSE / "images", "offline", ["engine=team/engine:7"])
    settings = replace(SETTINGS, images=images)
    zones = read_zones(COMPOSE, {**open_variables(settings), **secret_variables(PASSWORDS)})
    engine, ours = zones.service(ENGINE), ZONES.service(ENGINE)
    assert (engine.image, engine.command, engine.health) == ("team/engine:7", (), None)
    assert (engine.cpus, engine.memory_bytes) == (ours.cpus, ours.memory_bytes)
    assert ours.command


def test_a_bare_base_image_is_no_engine() -> None:
    """The specified base image alone cannot be run, and the error says what can."""
    need_engine(ZONES.service(ENGINE))
    with pytest.raises(UsageError, match="--image engine=IMAGE"):
        need_engine(spec(image="golang:1.22-alpine"))


def test_images_by_role() -> None:
    """A team's own engine in an otherwise offline set."""
    images = image_variables(COMPOSE / "images", "offline", ["engine=team/engine:7"])
    assert images["IMAGE_ENGINE"] == "team/engine:7"
    assert images["IMAGE_REDIS"] == "signal-harness/redis:offline"
    with pytest.raises(UsageError, match="not ROLE=IMAGE"):
        image_variables(COMPOSE / "images", "offline", ["motor=x"])
    with pytest.raises(UsageError, match="no image set"):
        image_variables(COMPOSE / "images", "nosuch")


def test_an_owner_survives_being_written() -> None:
    """A label names who made a thing."""
    owner = Owner.this_process()
    assert Owner.parse(str(owner)) == owner
    assert Owner.parse("nobody") is None
    assert Owner.parse("") is None


def test_what_a_dead_run_left_is_stale() -> None:
    """Gone is: its process ended, or the host started anew; not: another host's or namespace's."""
    here = Owner.this_process()

    def stale(owner: Owner, kind: Kind = Kind.RUN) -> bool:
        return is_stale(RunIdentity("t", kind, owner).labels())

    dead = replace(here, ticks=here.ticks + 1)
    assert not stale(here)
    assert stale(dead)
    assert not stale(dead, Kind.UP)
    assert stale(replace(here, boot="before"))
    assert not stale(replace(dead, host="elsewhere"))
    assert not stale(replace(dead, namespace="pid:[2]"))
    assert not is_stale({})
    assert here.pid == os.getpid()
