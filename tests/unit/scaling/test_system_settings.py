"""Quotas and PostgreSQL settings of a scenario: what may be changed, and where it arrives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.cli.stack_choice import StackChoice, StackKind
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.scenario import Scenario
from harness.scenario.system_settings import (
    ServiceQuota,
    check_postgres_setting,
    memory_mib,
    setting_text,
)
from harness.stack.compose_file import size_bytes
from harness.stack.docker.changed_limits import change_specification, change_zones
from harness.stack.docker.server_settings import postgres_settings
from harness.stack.docker.settings import Zones, read_zones
from harness.stack.docker.specification import read_specification
from harness.stack.postgres_roles import same_setting
from harness.stack.process.postgres_settings import format_config, server_settings
from harness.stack.settings import ROOT, StackSettings
from tests.unit.scaling.experiments import base

COMPOSE = ROOT / "compose"
VARIABLES = {"REDIS_PASSWORD": "r", "POSTGRES_PASSWORD": "p"}
ENGINE = "go-execution-engine"
CHANGED: dict[str, Any] = {
    "quota": {"engine": {"cpus": 1.5, "memory": "2g"}, "redis": {"memory": "512m"}},
    "postgres": {"shared_buffers": "512MB", "random_page_cost": 1.1, "jit": False},
}


def scenario(**changes: Any) -> Scenario:
    """A shipped scenario with changes."""
    return Scenario.model_validate(base().model_dump(mode="json", exclude_none=True) | changes)


def stack_settings() -> StackSettings:
    """Of the changed system."""
    return StackSettings.of(scenario(**CHANGED), Contract())


def changed_zones() -> Zones:
    """Its Compose files."""
    return change_zones(read_zones(COMPOSE, VARIABLES), stack_settings())


def test_a_changed_system_names_every_change() -> None:
    """In one form, which the grade repeats."""
    assert scenario(**CHANGED).system_changes == (
        "quota.engine.cpus=1.5",
        "quota.engine.memory=2g",
        "quota.redis.memory=512m",
        "postgres.shared_buffers=512MB",
        "postgres.random_page_cost=1.1",
        "postgres.jit=off",
    )
    assert base().system_changes == ()


def test_containers_get_the_changed_limits() -> None:
    """Swap stays none; the other services keep theirs."""
    zones, usual = changed_zones(), read_zones(COMPOSE, VARIABLES)
    engine = zones.service(ENGINE)
    assert (engine.cpus, engine.memory_bytes) == (1.5, size_bytes("2g"))
    assert engine.memory_swap_bytes == engine.memory_bytes
    redis = zones.service("redis")
    assert (redis.cpus, redis.memory_bytes) == (2.0, size_bytes("512m"))
    assert zones.service("archiver") == usual.service("archiver")


def test_the_specification_is_changed_alike() -> None:
    """So that the verifier holds what is in force against the changed values."""
    rows = change_specification(read_specification(COMPOSE), stack_settings())
    for spec in changed_zones().b.services:
        if spec.name in rows:
            assert rows[spec.name].cpus == spec.cpus
            assert rows[spec.name].memory_bytes == spec.memory_bytes
    assert rows["postgres"].settings["shared_buffers"] == "512MB"
    assert rows["postgres"].settings["effective_cache_size"] == "3GB"


def test_the_last_option_of_the_command_line_wins() -> None:
    """As in PostgreSQL itself."""
    found = postgres_settings(changed_zones().service("postgres"))
    assert (found["shared_buffers"], found["random_page_cost"], found["jit"]) == (
        "512MB", "1.1", "off"
    )  # fmt: skip
    assert found["fsync"] == "on"


def test_the_process_stack_writes_them_once() -> None:
    """Instead of the usual value."""
    text = format_config(server_settings(5432, 16 << 30, stack_settings().postgres))
    lines = text.splitlines()
    assert lines.count("shared_buffers = '512MB'") == 1
    assert sum(line.startswith("shared_buffers ") for line in lines) == 1
    assert "fsync = 'on'" in lines


@pytest.mark.parametrize(
    ("given", "shown", "same"),
    [
        ("1024MB", "1GB", True),
        ("on", "ON", True),
        ("1.1", "1.1", True),
        ("64MB", "65MB", False),
        ("lz4", "off", False),
    ],
)
def test_a_setting_in_force_is_compared_by_its_value(given: str, shown: str, same: bool) -> None:
    """SHOW prints sizes in the largest unit."""
    assert same_setting(given, shown) is same


@pytest.mark.parametrize(
    "name", ["fsync", "full_page_writes", "synchronous_commit", "ssl", "listen_addresses", "port",
             "shared_preload_libraries", "archive_command", "wal_level", "log_statement", "x;y", ""]
)  # fmt: skip
def test_what_a_verdict_or_a_secret_rests_on_stays(name: str) -> None:
    """Durability, files, connections, logging."""
    with pytest.raises(ValueError, match=r"stays as it is|may be changed"):
        check_postgres_setting(name)


@given(st.text(max_size=60))
def test_no_value_ends_a_line_or_a_quotation(text: str) -> None:
    """Whatever passes is one word in a configuration file and on a command line."""
    try:
        found = scenario(postgres={"work_mem": text})
    except ValidationError:
        return
    value = setting_text(found.postgres["work_mem"])
    assert value.isascii()
    assert not set(value) & set("'\"\\= \n\t#;$")


@given(st.integers(16, 1024 * 1024))
def test_a_memory_limit_is_whole_mebibytes(mib: int) -> None:
    """As many as it says."""
    assert memory_mib(f"{mib}m") == mib
    assert size_bytes(f"{mib}m") == mib << 20


@pytest.mark.parametrize(
    ("quota", "message"),
    [
        ({"engin": {"cpus": 1.0}}, "did you mean engine"),
        ({"engine": {}}, "neither cpus nor memory"),
        ({"engine": {"cpus": 0}}, "greater than or equal"),
        ({"engine": {"memory": "8m"}}, "16m to 1024g"),
        ({"engine": {"memory": "1tb"}}, "16m to 1024g"),
        ({"engine": {"shares": 5}}, "unknown key|Extra inputs"),
    ],
)
def test_a_wrong_quota_is_named(quota: dict[str, Any], message: str) -> None:
    """With the nearest service."""
    with pytest.raises(ValidationError, match=message):
        scenario(quota=quota)


@pytest.mark.parametrize(
    ("kind", "changes", "hint"),
    [
        (StackKind.PROCESS, {"quota": CHANGED["quota"]}, "--stack docker"),
        (StackKind.ATTACH, CHANGED, r"\[quota\]"),
    ],
)
def test_a_stack_without_quotas_refuses_them(
    kind: StackKind, changes: dict[str, Any], hint: str
) -> None:
    """Before anything is started."""
    contract = ROOT / "examples" / "foreign" / "desk.toml"
    choice = StackChoice(
        kind, "offline", [], 0, {}, contract if kind is StackKind.ATTACH else None, None
    )
    with pytest.raises(UsageError, match=hint):
        choice.check(scenario(**changes), Contract(), ROOT)


def test_the_process_stack_takes_settings_of_postgres() -> None:
    """They are settings of a server, and no quota."""
    choice = StackChoice(StackKind.PROCESS, "offline", [], 0, {}, None, None)
    choice.check(scenario(postgres=CHANGED["postgres"]), Contract(), ROOT)


def test_a_quota_without_a_change_keeps_the_specified_one() -> None:
    """Of memory only, the CPU quota stays."""
    assert ServiceQuota(memory="1g").model_dump(exclude_none=True) == {"memory": "1g"}
