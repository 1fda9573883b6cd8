"""What Compose makes of the same files is what the harness makes of them, field by field."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.stack.docker.compose_project import PROJECT, SERVICE, engine_names
from harness.stack.docker.container_config import ContainerConfig, config_of_inspect, differences
from harness.stack.docker.labels import RUN
from harness.stack.docker.labels import SERVICE as OUR_SERVICE
from harness.stack.docker.settings import secret_variables
from harness.stack.ports import LOOPBACK, free_port
from harness.stack.settings import ROOT
from tests.compose_client import CURRENT, KINDS, Compose, client
from tests.docker.conftest import Running

pytestmark = pytest.mark.docker

COMPOSE = ROOT / "compose"
FILES = ("zone-b.yaml", "zone-a.yaml")
AGENTS = 3
NUMBER = "com.docker.compose.container-number"
AGENT, FEEDBACK, PORTAL = "python-agent", "ai-feedback-service", "admin-portal"
# What differs by design; all else must be the same, values of the environment included, for which
# Compose gets the very variables that the harness filled its own stack with.
# - Names of networks and volumes, and labels of whoever started the container: `config_of_inspect`
#   knows networks and volumes by their keys in the files, and leaves these labels out.
# - Ports: the harness publishes servers and metrics pages on loopback, Compose what the files say.
# - The engine's cache, which the stack of these tests keeps on a disk of its own.
OWN_DISK = "engine-cache"


def mine(facts: ContainerConfig, published: Mapping[int, int]) -> ContainerConfig:
    """A container of the harness, without the ports that the harness alone needs."""
    own = {f"{port}/tcp" for port in published}
    return replace(facts, ports=frozenset(port for port in facts.ports if port[0] not in own))


def unlike(one: ContainerConfig, other: ContainerConfig) -> set[str]:
    """Fields in which two containers differ, whichever of them is what was wanted."""
    both = (*differences(one, other), *differences(other, one))
    return {name for name, _, _ in both}


def containers(api: Any, label: str) -> Iterator[dict[str, Any]]:
    """Every container with a label, as the engine inspects it."""
    for entry in api.containers(all=True, filters={"label": label}):
        yield api.inspect_container(entry["Id"])


def project_names(running: Running, project: str) -> dict[str, str]:
    """Keys in the Compose files by name in the engine, of a Compose project."""
    supervisor = running.stack._supervisor
    assert supervisor is not None
    found = engine_names(running.client, project, supervisor.containers.names.values())
    return {name: key for key, name in found.items()}


@pytest.fixture
def portal_port() -> int:
    """A port of this host that both portals may publish: Compose's is never started."""
    return free_port()


@pytest.fixture
def compose(
    running: Running, portal_port: int, request: pytest.FixtureRequest
) -> Iterator[Compose]:
    """A client with the variables of the session's stack; its project is gone afterwards."""
    project = "harness-compare"
    variables = {
        **running.stack._variables,
        **secret_variables(running.stack._passwords),
        "NETWORK_PREFIX": f"{project}-",
        "PORTAL_PORT": str(portal_port),
    }
    made = client(getattr(request, "param", CURRENT), project, variables)
    yield made
    for file in reversed(FILES):
        words = ("--profile", "gate", "down", "--volumes", "--remove-orphans", "--timeout", "1")
        made.run("--file", str(COMPOSE / file), *words)


@pytest.fixture
def ours(running: Running, portal_port: int) -> Iterator[dict[tuple[str, int], ContainerConfig]]:
    """Every container of both zones, as the harness starts it: facts by service and number."""
    stack, supervisor = running.stack, running.stack._supervisor
    assert supervisor is not None
    stack.scale(AGENTS)
    stack.open_gate()
    portal = replace(stack._zones.a.service(PORTAL), ports=(f"{LOOPBACK}:{portal_port}:443",))
    names = [supervisor.start(spec) for spec in (portal, stack._zones.a.service(FEEDBACK))]
    place = supervisor.containers.place
    found: dict[tuple[str, int], ContainerConfig] = {}
    for document in containers(running.client.api, f"{RUN}={stack.token}"):
        service = document["Config"]["Labels"].get(OUR_SERVICE, "")
        number = document["Name"].rpartition("-")[2] if service == AGENT else "1"
        facts = config_of_inspect(document, supervisor.containers.names, service)
        found[service, int(number)] = mine(facts, place.publish.get(service, {}))
    yield found
    for name in names:
        supervisor.remove(name)
    stack.close_gate()
    stack.scale(1)


def made_by(compose: Compose, running: Running) -> dict[tuple[str, int], ContainerConfig]:
    """Every container of a Compose project: facts by service and number."""
    names = project_names(running, compose.project)
    found = {}
    for document in containers(running.client.api, f"{PROJECT}={compose.project}"):
        labels = document["Config"]["Labels"]
        service = labels[SERVICE]
        found[service, int(labels[NUMBER])] = config_of_inspect(document, names, service)
    return found


@pytest.mark.parametrize("compose", KINDS, indirect=True)
def test_compose_and_the_harness_make_the_same(
    running: Running, compose: Compose, ours: dict[tuple[str, int], ContainerConfig]
) -> None:
    """Every setting of every container of both zones, as the engine tells it of either."""
    for file in FILES:
        words = ("--file", str(COMPOSE / file), "--profile", "gate", "up", "--no-start")
        compose.done(*words, *(("--scale", f"{AGENT}={AGENTS}") if file == FILES[1] else ()))
    if compose.version.startswith("1."):  # it joins a second network only at the start
        compose.done("--file", str(COMPOSE / FILES[0]), "up", "--detach", "--no-deps", "redis")
    theirs = made_by(compose, running)
    assert theirs.keys() == ours.keys()
    assert len({service for service, _ in ours}) == 11
    assert {key: unlike(theirs[key], ours[key]) for key in ours} == {key: set() for key in ours}


def test_networks_and_volumes_are_the_same(running: Running, compose: Compose) -> None:
    """Driver and options of each; an internal network is internal with either."""
    api, supervisor = running.client.api, running.stack._supervisor
    assert supervisor is not None
    for file in FILES:
        compose.done("--file", str(COMPOSE / file), "--profile", "gate", "up", "--no-start")
    theirs = things(api, project_names(running, compose.project))
    mine = things(api, supervisor.containers.names)
    assert theirs.pop(OWN_DISK) is not None
    # Version 2 and later make no network that no service is on, such as Zone C's.
    assert mine.keys() - theirs.keys() == {OWN_DISK, "fortress_net"}
    assert {key: mine[key] for key in theirs} == theirs


def things(api: Any, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What networks and volumes are, by key in the Compose files."""
    reported = ("Driver", "Options", "Internal", "Attachable", "Ingress", "EnableIPv6", "Scope")
    networks = api.networks(names=list(names))
    volumes = api.volumes()["Volumes"] or ()
    return {
        names[entry["Name"]]: {key: entry.get(key) or None for key in reported}
        for entry in (*networks, *volumes)
        if entry["Name"] in names
    }


HEALTH = {"test": ["CMD", "true"], "interval": "10s", "timeout": "3s", "retries": 6}
ENGINE, REDIS = "go-execution-engine", "redis"
# What depends on the kernel (block IO, swappiness, OOM) has its test in tests/unit/docker. With the
# host's namespaces the engine switches labels of the security module off by itself.
# An image has a folder and variables of its own.
# Fields that must be named, service, its key in the Compose file, another value.
CHANGES: tuple[tuple[set[str], str, str, Any], ...] = (
    ({"image", "environment", "WorkingDir"}, REDIS, "image", "signal-harness/base:offline"),
    ({"command"}, "anvil", "command", ["--silent"]),
    ({"entrypoint"}, "anvil", "entrypoint", ["other"]),
    ({"environment"}, "anvil", "environment", {"HOME": "/anvil", "TMPDIR": "/other"}),
    ({"environment"}, "anvil", "environment", {"HOME": "/anvil", "TMPDIR": "/anvil", "A": "b"}),
    ({"cpu_period_us"}, REDIS, "cpu_period", 50_000),
    ({"cpu_quota_us"}, REDIS, "cpu_quota", 100_000),
    ({"cpu_shares"}, REDIS, "cpu_shares", 1024),
    ({"memory_bytes"}, REDIS, "mem_limit", "3g"),
    ({"memory_swap_bytes"}, REDIS, "memswap_limit", "5g"),
    ({"shm_bytes"}, "postgres", "shm_size", "128m"),
    ({"restart"}, REDIS, "restart", "unless-stopped"),
    ({"restart"}, REDIS, "restart", "on-failure:3"),
    ({"ulimits"}, ENGINE, "ulimits", {"core": 0}),
    ({"ulimits"}, REDIS, "ulimits", {"nofile": 1024}),
    ({"init"}, ENGINE, "init", False),
    ({"mounts"}, ENGINE, "volumes", ["engine-cache:/var/lib/engine"]),
    ({"mounts"}, ENGINE, "volumes", ["engine-cache:/var/lib/engine", "engine-cores:/var/crash:ro"]),
    ({"mounts"}, ENGINE, "volumes", ["engine-cache:/var/lib/engine", "redis-data:/var/crash"]),
    ({"tmpfs"}, "anvil", "tmpfs", ["/anvil:size=2g,mode=1777"]),
    ({"networks"}, REDIS, "networks", ["sandbox_net"]),
    ({"ports"}, "anvil", "ports", ["127.0.0.1:18545:8545"]),
    ({"health"}, ENGINE, "healthcheck", {**HEALTH, "test": ["CMD", "false"]}),
    ({"health"}, ENGINE, "healthcheck", {"disable": True}),
    ({"labels"}, REDIS, "labels", {"a": "b"}),
    ({"StopSignal"}, REDIS, "stop_signal", "SIGINT"),
    ({"StopTimeout"}, REDIS, "stop_grace_period", "3s"),
    ({"capabilities"}, REDIS, "cap_drop", ["NET_RAW"]),
    ({"capabilities"}, REDIS, "cap_add", ["NET_ADMIN"]),
    ({"SecurityOpt"}, REDIS, "security_opt", ["seccomp:unconfined"]),
    ({"User"}, REDIS, "user", "1000"),
    ({"WorkingDir"}, REDIS, "working_dir", "/other"),
    ({"LogConfig"}, REDIS, "logging", {"driver": "json-file", "options": {"max-size": "1m"}}),
    ({"ReadonlyRootfs"}, REDIS, "read_only", True),
    ({"Privileged", "SecurityOpt"}, REDIS, "privileged", True),
    ({"PidsLimit"}, REDIS, "pids_limit", 100),
    ({"ExtraHosts"}, REDIS, "extra_hosts", ["a:127.0.0.2"]),
    ({"Dns"}, REDIS, "dns", ["127.0.0.2"]),
    ({"DnsSearch"}, REDIS, "dns_search", ["a.invalid"]),
    ({"DnsOptions"}, REDIS, "dns_opt", ["ndots:2"]),
    ({"Sysctls"}, REDIS, "sysctls", {"net.core.somaxconn": "1024"}),
    ({"Devices"}, REDIS, "devices", ["/dev/null:/dev/other"]),
    ({"DeviceCgroupRules"}, REDIS, "device_cgroup_rules", ["c 1:3 mr"]),
    ({"OomScoreAdj"}, REDIS, "oom_score_adj", 500),
    ({"CpusetCpus"}, REDIS, "cpuset", "0"),
    ({"MemoryReservation"}, REDIS, "mem_reservation", "1g"),
    ({"PidMode", "SecurityOpt"}, REDIS, "pid", "host"),
    ({"IpcMode", "SecurityOpt"}, REDIS, "ipc", "host"),
    ({"UTSMode"}, REDIS, "uts", "host"),
    ({"UsernsMode"}, REDIS, "userns_mode", "host"),
    ({"CgroupParent"}, REDIS, "cgroup_parent", "/other"),
    ({"GroupAdd"}, REDIS, "group_add", ["7"]),
    ({"Tty"}, REDIS, "tty", True),
    ({"OpenStdin"}, REDIS, "stdin_open", True),
    ({"Domainname"}, REDIS, "domainname", "a.invalid"),
)


def test_each_changed_field_is_named(running: Running, compose: Compose, tmp_path: Path) -> None:
    """Copies of services, each with one field changed, differ from the service in that field."""
    document = yaml.safe_load((COMPOSE / "zone-b.yaml").read_text(encoding="utf-8"))
    services = document["services"]
    for number, (_, service, key, value) in enumerate(CHANGES):
        services[f"changed-{number}"] = {**copy.deepcopy(services[service]), key: value}
    for body in services.values():
        body.pop("build", None)
    path = tmp_path / "zone-b.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    words = ("--file", str(path), "--project-directory", str(COMPOSE), "--profile", "gate")
    compose.done(*words, "up", "--no-start")
    facts = made_by(compose, running)
    found = {}
    for number, (_, service, key, value) in enumerate(CHANGES):
        changed = facts[f"changed-{number}", 1]
        networks = frozenset((network, (service,)) for network, _ in changed.networks)
        names = unlike(facts[service, 1], replace(changed, networks=networks))
        found[number, key, str(value)] = names
    expected = {
        (number, key, str(value)): names for number, (names, _, key, value) in enumerate(CHANGES)
    }
    assert found == expected
