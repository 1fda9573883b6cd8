"""Compose reads the project's files as the harness does: `docker compose config`, field by field.

Nothing is started and no engine is needed. What follows reads Compose's answer by itself: it shares
no line with `harness.stack.compose_file`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.stack.compose_file import (
    ComposeFile,
    ContainerSpec,
    HealthCheckSpec,
    RestartSpec,
    read_compose,
)
from harness.stack.settings import ROOT
from tests.compose_client import CURRENT, KINDS, client

COMPOSE = ROOT / "compose"
PROJECT = "harness-config"
FILES = ("zone-b.yaml", "zone-a.yaml")
# Variables that change a value in each kind of place where the files have one.
VARIABLES = {
    "REDIS_PASSWORD": "red-is",
    "POSTGRES_PASSWORD": "post-gres",
    "NETWORK_PREFIX": "prefix-",
    "IMAGE_REDIS": "127.0.0.1:5000/redis:7",
    "REDIS_MAXMEMORY": "96mb",
    "ENGINE_WORKERS": "3",
    "PORTAL_PORT": "18443",
    "STRATEGY_DIR": "/strategies/mine",
    "AGENT_GROUP": "cg:agents",
}
# Compose says these of a service too: how its image is built or pulled.
NO_FIELD = {"build", "pull_policy"}
_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6}

Body = Mapping[str, Any]
Fields = dict[tuple[str, str], Any]


def size(value: Any) -> int:
    """Bytes, of `512m` or a number."""
    match = re.fullmatch(r"(\d+)([bkmg]?)b?", str(value or 0))
    assert match, value
    return int(match[1]) * _UNITS[match[2]]


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts; Compose writes a dollar as two, so that its answer can be read again."""
    return tuple(str(text).replace("$$", "$") for text in value or ())


def mount(entry: Any) -> tuple[str, str, bool]:
    """Source, target and whether read-only, of the short or the long form."""
    if isinstance(entry, str):
        source, target, mode = entry.split(":")
        return source, target, mode == "ro"
    return entry["source"], entry["target"], bool(entry.get("read_only", False))


def port(entry: Any) -> str:
    """A published port in the short form."""
    if isinstance(entry, str):
        return entry.removesuffix("/tcp")
    assert entry["protocol"] == "tcp"
    return f"{entry['host_ip']}:{entry['published']}:{entry['target']}"


def health(body: Body | None) -> HealthCheckSpec | None:
    """A health check."""
    if body is None:
        return None
    assert set(body) == {"test", "interval", "timeout", "retries"}
    interval, timeout = (nanoseconds(body[key]) for key in ("interval", "timeout"))
    return HealthCheckSpec(texts(body["test"]), interval, timeout, int(body["retries"]))


def nanoseconds(text: str) -> int:
    """A duration such as `1m30s`."""
    parts = re.findall(r"(\d+)(ms|us|h|m|s)", text)
    assert "".join(map("".join, parts)) == text
    return round(sum(int(number) * _SECONDS[unit] * 1e9 for number, unit in parts))


def restart(text: str) -> RestartSpec:
    """A policy with its retries."""
    name, _, retries = text.partition(":")
    return RestartSpec(name, int(retries or 0))


def names(value: Any) -> tuple[str, ...]:
    """Names, in the order of the alphabet: Compose sorts them."""
    return tuple(sorted(value or ()))


# Each field of a service as Compose reports it: (name of the service, its body) -> value.
FIELDS: dict[str, Callable[[str, Body], Any]] = {
    "name": lambda name, _: name,
    "image": lambda _, body: body["image"],
    "command": lambda _, body: texts(body.get("command")),
    "entrypoint": lambda _, body: texts(body.get("entrypoint")),
    "environment": lambda _, body: {
        key: texts([value])[0] for key, value in (body.get("environment") or {}).items()
    },
    "cpu_period_us": lambda _, body: int(body["cpu_period"]),
    "cpu_quota_us": lambda _, body: int(body["cpu_quota"]),
    "cpu_shares": lambda _, body: int(body["cpu_shares"]),
    "memory_bytes": lambda _, body: size(body["mem_limit"]),
    "memory_swap_bytes": lambda _, body: size(body["memswap_limit"]),
    "shm_bytes": lambda _, body: size(body.get("shm_size")),
    "restart": lambda _, body: restart(body["restart"]),
    "core_unlimited": lambda _, body: (body.get("ulimits") or {}) == {"core": -1},
    "mounts": lambda _, body: {mount(entry) for entry in body.get("volumes") or ()},
    "tmpfs": lambda _, body: {entry.partition(":")[::2] for entry in body.get("tmpfs") or ()},
    "networks": lambda _, body: names(body.get("networks")),
    "ports": lambda _, body: tuple(port(entry) for entry in body.get("ports") or ()),
    "needs": lambda _, body: names(body.get("depends_on")),
    "health": lambda _, body: health(body.get("healthcheck")),
    "profiles": lambda _, body: names(body.get("profiles")),
    "init": lambda _, body: bool(body.get("init", False)),
    "user": lambda _, body: body.get("user", ""),
    "cap_drop": lambda _, body: names(body.get("cap_drop")),
    "cap_add": lambda _, body: names(body.get("cap_add")),
    "security_opt": lambda _, body: names(body.get("security_opt")),
}
# The keys that the fields are read from; any other one would be a setting that is not compared.
KEYS = {
    *("image", "command", "entrypoint", "environment", "cpu_period", "cpu_quota", "cpu_shares"),
    *("mem_limit", "memswap_limit", "shm_size", "restart", "ulimits", "volumes", "tmpfs"),
    *("networks", "ports", "depends_on", "healthcheck", "profiles", "init", "user", "cap_drop"),
    *("cap_add", "security_opt"),
}


def as_compose_reads(document: Body) -> Fields:
    """Value by service and field."""
    return {
        (name, field): FIELDS[field](name, body)
        for name, body in document["services"].items()
        for field in (item.name for item in fields(ContainerSpec))
    }


def as_the_harness_reads(*files: ComposeFile) -> Fields:
    """The same, of what the harness starts."""
    read: Fields = {}
    for file in files:
        for spec in file.services:
            found = {item.name: getattr(spec, item.name) for item in fields(spec)}
            found["environment"] = dict(spec.environment)
            found["tmpfs"] = set(spec.tmpfs)
            found["mounts"] = {
                (
                    str((COMPOSE / m.source).resolve()) if m.is_folder else m.source,
                    m.target,
                    m.read_only,
                )
                for m in spec.mounts
            }
            for field in ("networks", "needs", "profiles", "cap_drop", "cap_add", "security_opt"):
                found[field] = names(found.get(field))
            read |= {(spec.name, item.name): found[item.name] for item in fields(spec)}
    return read


def config(kind: str, *words_: str, cwd: Path = ROOT) -> dict[str, Any]:
    """Compose's answer; it objects to nothing and ignores nothing."""
    done = client(kind, PROJECT, VARIABLES).run(*words_, "--profile", "gate", "config", cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    document: dict[str, Any] = yaml.safe_load(done.stdout)
    return document


def check(document: Body, *files: ComposeFile) -> int:
    """Hold Compose's reading against the harness's; how many fields were compared."""
    ours, theirs = as_the_harness_reads(*files), as_compose_reads(document)
    assert {key: (ours.get(key), theirs.get(key)) for key in differing(ours, theirs)} == {}
    used = {key for body in document["services"].values() for key, value in body.items() if value}
    assert used <= KEYS | NO_FIELD
    declared = {key: (name, internal) for file in files for key, name, internal in file.networks}
    reported_by = {
        key: (body["name"], bool(body.get("internal", False)))
        for key, body in document["networks"].items()
    }
    # Version 2 and later leave out a network that no service is on, such as Zone C's.
    on_one = {key for body in document["services"].values() for key in body["networks"]}
    assert on_one <= set(reported_by)
    assert reported_by.items() <= declared.items()
    assert {key for file in files for key in file.volumes} == set(document["volumes"])
    return len(ours)


def differing(ours: Fields, theirs: Fields) -> list[tuple[str, str]]:
    """Keys whose values differ, or that one side lacks."""
    absent = object()
    keys = (*ours, *(key for key in theirs if key not in ours))
    return [key for key in keys if ours.get(key, absent) != theirs.get(key, absent)]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", KINDS)
def test_compose_reads_a_zone_as_the_harness_does(kind: str, file: str) -> None:
    """Every field of every service, with the variables filled in."""
    ours = read_compose(COMPOSE / file, VARIABLES)
    compared = check(config(kind, "--file", str(COMPOSE / file)), ours)
    assert compared == len(ours.services) * len(fields(ContainerSpec))


def test_compose_reads_the_checkout_as_the_harness_does() -> None:
    """`docker compose` without any file, at the root of the checkout: both zones."""
    if not (ROOT / "compose.yaml").is_file():
        pytest.skip("this checkout has no compose.yaml")
    zones = [read_compose(COMPOSE / file, VARIABLES) for file in FILES]
    assert check(config(CURRENT), *zones) == 11 * len(fields(ContainerSpec))


READ = {item.name for item in fields(ContainerSpec)} - {"name"}
# Field of a service, its key in a Compose file, another value.
CANDIDATES: tuple[tuple[str, str, Any], ...] = (
    ("image", "image", "other:1"),
    ("command", "command", ["other", "--silent"]),
    ("entrypoint", "entrypoint", ["other"]),
    ("environment", "environment", {"HOME": "/other", "TMPDIR": "/anvil"}),
    ("cpu_period_us", "cpu_period", 50_000),
    ("cpu_quota_us", "cpu_quota", 100_000),
    ("cpu_shares", "cpu_shares", 1024),
    ("memory_bytes", "mem_limit", "3g"),
    ("memory_swap_bytes", "memswap_limit", "8g"),
    ("shm_bytes", "shm_size", "128m"),
    ("restart", "restart", "on-failure:2"),
    ("core_unlimited", "ulimits", {"core": -1}),
    ("mounts", "volumes", ["engine-cache:/anvil/cache:ro"]),
    ("tmpfs", "tmpfs", ["/anvil:size=2g,mode=1777"]),
    ("networks", "networks", ["sandbox_net", "intelligence_net"]),
    ("ports", "ports", ["127.0.0.1:8545:8545"]),
    ("needs", "depends_on", {"redis": {"condition": "service_healthy"}}),
    (
        "health",
        "healthcheck",
        {"test": ["CMD", "x"], "interval": "1m30s", "timeout": "3s", "retries": 2},
    ),
    ("profiles", "profiles", ["gate", "other"]),
    ("init", "init", True),
    ("user", "user", "65534:65534"),
    ("cap_drop", "cap_drop", ["NET_RAW"]),
    ("cap_add", "cap_add", ["NET_ADMIN"]),
    ("security_opt", "security_opt", ["seccomp=unconfined"]),
)
CHANGES = [change for change in CANDIDATES if change[0] in READ]


@pytest.mark.parametrize(("field", "key", "value"), CHANGES, ids=[field for field, _, _ in CHANGES])
def test_a_field_that_one_of_them_reads_otherwise_is_named(
    tmp_path: Path, field: str, key: str, value: Any
) -> None:
    """One field of one service of a copied file is changed: this one differs, and no other."""
    document = yaml.safe_load((COMPOSE / "zone-b.yaml").read_text(encoding="utf-8"))
    document["services"]["anvil"][key] = value
    copy = tmp_path / "zone-b.yaml"
    copy.write_text(yaml.safe_dump(document), encoding="utf-8")
    theirs = as_compose_reads(
        config(CURRENT, "--file", str(copy), "--project-directory", str(COMPOSE))
    )
    ours = as_the_harness_reads(read_compose(COMPOSE / "zone-b.yaml", VARIABLES))
    assert differing(ours, theirs) == [("anvil", field)]


def test_every_field_is_changed_once() -> None:
    """A new field of a service cannot be left out above."""
    assert {field for field, _, _ in CHANGES} == READ
    assert set(FIELDS) > READ
