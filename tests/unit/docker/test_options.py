"""A service of a Compose file as a container's options, field by field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.stack.docker.container_config import (
    _DEFAULT_CAPABILITIES,
    config_of_inspect,
    config_of_spec,
    differences,
    same_image,
)
from harness.stack.docker.containers import as_container
from harness.stack.docker.labels import KIND, OWNER, RUN, SERVICE
from harness.stack.docker.live_container import names_of
from harness.stack.docker.options import run_options
from tests.unit.docker.samples import GIB, MARK, PLACE, inspected, spec
from tests.unit.docker.samples import OWNER as SAMPLE_OWNER

NAMES = names_of(PLACE.networks, PLACE.volumes)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", "harness-cafe0001-engine"),
        ("cpu_period", 100_000),
        ("cpu_quota", 400_000),
        ("cpu_shares", 1024),
        ("mem_limit", 8 * GIB),
        ("memswap_limit", 8 * GIB),
        ("shm_size", GIB),
        ("restart_policy", {"Name": "on-failure", "MaximumRetryCount": 3}),
        ("tmpfs", {"/scratch": "size=3g,mode=1777"}),
        ("entrypoint", ["tini"]),
        ("init", True),
        ("ports", {"443/tcp": ("127.0.0.1", 8443), "9100/tcp": ("127.0.0.1", 17_001)}),
        ("network", "harness-cafe0001-inside"),
        ("ulimits", [{"Name": "core", "Soft": -1, "Hard": -1}]),
        (
            "volumes",
            {
                "harness-cafe0001-data": {"bind": "/data", "mode": "rw"},
                "/somewhere/compose/code": {"bind": "/code", "mode": "ro"},
            },
        ),
        (
            "healthcheck",
            {
                "test": ["CMD", "ask"],
                "interval": 10_000_000_000,
                "timeout": 3_000_000_000,
                "retries": 6,
            },
        ),
        (
            "labels",
            {
                RUN: "cafe0001",
                KIND: "run",
                OWNER: str(SAMPLE_OWNER),
                SERVICE: "engine",
            },
        ),
    ],
)
def test_every_field_becomes_an_option(option: str, value: Any) -> None:
    """Each field of a service reaches the engine."""
    assert run_options(spec(), PLACE)[option] == value


def test_the_service_is_found_by_its_name() -> None:
    """On its network a container answers to the service's name."""
    options = run_options(spec(), PLACE)
    endpoint = options["networking_config"]["harness-cafe0001-inside"]
    assert endpoint["Aliases"] == ["engine"]


def test_what_is_not_given_is_left_to_the_engine() -> None:
    """No option stands for a field that a service does not have."""
    bare = spec(
        cpu_shares=0, shm_bytes=0, core_unlimited=False, entrypoint=(), init=False, health=None
    )
    absent = {"cpu_shares", "shm_size", "ulimits", "entrypoint", "init", "healthcheck"}
    assert not absent & set(run_options(bare, PLACE))


def test_instances_have_numbers() -> None:
    """Two instances of one service do not share a name."""
    assert run_options(spec(), PLACE, 3)["name"] == "harness-cafe0001-engine-3"


def test_nothing_secret_is_in_names_and_labels() -> None:
    """Everybody on the host may list names and labels."""
    options = run_options(spec(), PLACE)
    assert "hush" not in str({key: options[key] for key in ("name", "labels")})


def test_testcontainers_takes_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Testcontainers has its own places for is not also among its further arguments."""

    class NoEngine:
        def __init__(self, **_: object) -> None: ...

    monkeypatch.setattr("testcontainers.core.container.DockerClient", NoEngine)
    options = run_options(spec(), PLACE)
    container = as_container(spec(), options)
    assert container._name == options["name"]
    assert container.env == {"PASSWORD": "hush", "MODE": "full"}
    assert container._command == ["run", "--fast"]
    assert container.ports == options["ports"]
    assert container.tmpfs == options["tmpfs"]
    assert container.volumes == options["volumes"]
    own = {"name", "ports", "tmpfs", "volumes"}
    assert container._kwargs == {k: v for k, v in options.items() if k not in own}


def test_an_engine_that_took_everything_differs_in_nothing() -> None:
    """A wish and the engine's answer to it compare as equal."""
    found = config_of_inspect(inspected(), NAMES, "engine")
    assert differences(config_of_spec(spec(), PLACE), found) == ()


@pytest.mark.parametrize(
    ("section", "key", "value", "field"),
    [
        ("HostConfig", "CpuPeriod", 50_000, "cpu_period_us"),
        ("HostConfig", "CpuQuota", 0, "cpu_quota_us"),
        ("HostConfig", "CpuShares", 0, "cpu_shares"),
        ("HostConfig", "Memory", 0, "memory_bytes"),
        ("HostConfig", "MemorySwap", 16 * GIB, "memory_swap_bytes"),
        ("HostConfig", "ShmSize", 64 * 1024**2, "shm_bytes"),
        ("HostConfig", "RestartPolicy", {"Name": "", "MaximumRetryCount": 0}, "restart"),
        ("HostConfig", "Ulimits", None, "ulimits"),
        (
            "HostConfig",
            "Ulimits",
            [{"Name": "core", "Soft": 0, "Hard": -1}],
            "ulimits",
        ),
        ("HostConfig", "Init", None, "init"),
        ("HostConfig", "Tmpfs", None, "tmpfs"),
        ("HostConfig", "PortBindings", {}, "ports"),
        ("Config", "Image", "other", "image"),
        ("Config", "Cmd", ["run"], "command"),
        ("Config", "Entrypoint", None, "entrypoint"),
        ("Config", "Env", ["PASSWORD=other", "MODE=full"], "environment"),
        ("Config", "Healthcheck", None, "health"),
        ("NetworkSettings", "Networks", {}, "networks"),
        ("HostConfig", "Privileged", True, "Privileged"),
        ("HostConfig", "CpusetCpus", "0", "CpusetCpus"),
        ("HostConfig", "PidMode", "host", "PidMode"),
        ("HostConfig", "ReadonlyRootfs", True, "ReadonlyRootfs"),
        ("HostConfig", "Devices", [{"PathOnHost": "/dev/kmsg"}], "Devices"),
        ("HostConfig", "OomKillDisable", True, "OomKillDisable"),
        ("HostConfig", "MemorySwappiness", 10, "MemorySwappiness"),
        ("HostConfig", "BlkioWeight", 300, "BlkioWeight"),
        ("HostConfig", "Tmpfs", {"/scratch": "size=2g,mode=1777"}, "tmpfs"),
    ],
)
def test_an_option_that_was_dropped_is_named(
    section: str, key: str, value: Any, field: str
) -> None:
    """Every option that an engine ignores is named."""
    document = inspected()
    document[section] = {**document[section], key: value}
    found = config_of_inspect(document, NAMES, "engine")
    wanted = config_of_spec(spec(), PLACE)
    assert [name for name, _, _ in differences(wanted, found)] == [field]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("Config", "Image", "localhost/team/engine:1"),
        ("Config", "Image", "docker.io/team/engine:1"),
        ("HostConfig", "Tmpfs", {"/scratch": "size=3g,mode=1777,rw,rprivate,nosuid,tmpcopyup"}),
        (
            "HostConfig",
            "Ulimits",
            [
                {"Name": "RLIMIT_CORE", "Soft": -1, "Hard": -1},
                {"Name": "RLIMIT_NOFILE", "Soft": 1_048_576, "Hard": 1_048_576},
            ],
        ),
        ("HostConfig", "NanoCpus", 4_000_000_000),
        ("HostConfig", "PidsLimit", 2048),
        ("HostConfig", "PidMode", "private"),
        ("HostConfig", "MemorySwappiness", -1),
        ("Config", "StopSignal", "15"),
        ("Config", "User", "engine"),
        (
            "Config",
            "Healthcheck",
            {**inspected()["Config"]["Healthcheck"], "StartPeriod": 5_000_000_000},
        ),
    ],
)
def test_what_an_engine_or_image_adds_is_no_difference(section: str, key: str, value: Any) -> None:
    """Recorded from Podman 4.3; and what an image brings of its own."""
    document = inspected()
    document[section] = {**document[section], key: value}
    found = config_of_inspect(document, NAMES, "engine")
    assert differences(config_of_spec(spec(), PLACE), found) == ()


def test_a_volume_that_the_image_declares_is_no_difference() -> None:
    """The engine gives it a random name; one with a name was asked for."""
    extra = {"Type": "volume", "Name": "a7" * 32, "Source": "/x", "Destination": "/y", "RW": True}
    wanted = config_of_spec(spec(), PLACE)
    for name, expected in (("a7" * 32, []), ("of-a-user", ["mounts"])):
        document = inspected()
        document["Mounts"].append({**extra, "Name": name})
        found = config_of_inspect(document, NAMES, "engine")
        assert [field for field, _, _ in differences(wanted, found)] == expected


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("redis", "docker.io/library/redis:latest", True),
        ("redis:7.2-alpine", "docker.io/library/redis:7.2-alpine", True),
        ("redis:7.2-alpine", "redis:7.2", False),
        ("127.0.0.1:5000/redis", "127.0.0.1:5000/redis:latest", True),
        ("team/redis:1", "docker.io/other/redis:1", False),
        ("registry.example/team/redis:1", "team/redis:1", False),
    ],
)
def test_an_image_is_known_by_its_full_name(wanted: str, found: str, same: bool) -> None:
    """Podman adds a registry to the name."""
    assert same_image(wanted, found) is same


def test_capabilities_are_the_same_however_an_engine_tells_them() -> None:
    """Docker repeats what was asked for; Podman lists all that is gone, and leaves `true` out."""
    answers: tuple[tuple[list[str], list[str], list[str]], ...] = (
        (["CHOWN"], ["ALL"], ["no-new-privileges:true"]),
        (["CAP_CHOWN"], ["all"], ["no-new-privileges=true"]),
        ([], sorted({*_DEFAULT_CAPABILITIES.split()} - {"CHOWN"}), ["no-new-privileges"]),
    )
    found = []
    for add, drop, options in answers:
        document = inspected()
        document["HostConfig"] |= {"CapAdd": add, "CapDrop": drop, "SecurityOpt": options}
        found.append(config_of_inspect(document, NAMES, "engine"))
    assert found[0] == found[1] == found[2]
    document["HostConfig"]["CapDrop"] = ["NET_RAW"]
    more = config_of_inspect(document, NAMES, "engine")
    assert [name for name, _, _ in differences(found[0], more)] == ["capabilities"]


def test_a_writable_mount_is_not_a_read_only_one() -> None:
    """Strategy code that could be changed is a difference."""
    document = inspected()
    document["Mounts"][1]["RW"] = True
    found = config_of_inspect(document, NAMES, "engine")
    assert [name for name, _, _ in differences(config_of_spec(spec(), PLACE), found)] == ["mounts"]


def test_a_port_open_to_the_network_is_a_difference() -> None:
    """Only loopback is published to."""
    document = inspected()
    document["HostConfig"]["PortBindings"]["9100/tcp"][0]["HostIp"] = "0.0.0.0"  # noqa: S104 - what must not be
    found = config_of_inspect(document, NAMES, "engine")
    assert [name for name, _, _ in differences(config_of_spec(spec(), PLACE), found)] == ["ports"]


def test_another_stack_has_other_names() -> None:
    """Two stacks on one host share nothing."""
    other = replace(PLACE, mark=replace(MARK, token="beef0002"))
    assert run_options(spec(), other)["name"] != run_options(spec(), PLACE)["name"]
