"""Specification against what is in force, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.process.cgroup import Limits
from harness.stack.compose_file import ContainerSpec, Mount, RestartSpec
from harness.stack.docker.container_config import config_of_inspect, config_of_spec
from harness.stack.docker.live_container import LiveContainer, LiveMount, names_of
from harness.stack.docker.specification import Quota
from harness.stack.docker.verification_rows import (
    VerificationRow,
    absent_row,
    rows_of_container,
    rows_of_settings,
    table,
)
from tests.unit.docker.samples import GIB, PLACE, inspected, spec

LIMITS = Limits(
    version=1,
    cpu_period_us=100_000,
    cpu_quota_us=400_000,
    cpu_shares=1024,
    memory_bytes=8 * GIB,
    swap_bytes=0,
    throttled_periods=0,
    periods=10,
)
LIVE = LiveContainer(
    pid=7,
    status="running",
    health="healthy",
    config=config_of_inspect(inspected(), names_of(PLACE.networks, PLACE.volumes), "engine"),
    limits=LIMITS,
    core_limit="unlimited",
    mounts={
        "/data": LiveMount("/data", "ext4", read_only=False, size_bytes=0),
        "/code": LiveMount("/code", "ext4", read_only=True, size_bytes=0),
        "/scratch": LiveMount("/scratch", "tmpfs", read_only=False, size_bytes=3 * GIB),
    },
    image_id="sha256:0123456789abcdef",
    repo_digests=(),
)
CODE, CODE_ROW = Mount("./code", "/code", read_only=True), "read-only code"
QUOTA = Quota(cpus=4, memory="8g", restart="on-failure:3", cpu_shares=1024, core_dumps=True)


def unmet(
    live: LiveContainer = LIVE, service: ContainerSpec | None = None, quota: Quota | None = QUOTA
) -> list[str]:
    """Settings whose rows are not met."""
    service = service or spec()
    wanted = config_of_spec(service, PLACE)
    rows = rows_of_container("engine", service, wanted, live, quota)
    return [row.setting for row in rows if not row.ok]


def test_a_container_as_specified_meets_every_row() -> None:
    """And every kind of setting has its row."""
    rows = rows_of_container("engine", spec(), config_of_spec(spec(), PLACE), LIVE, QUOTA)
    assert [row.setting for row in rows if not row.ok] == []
    assert {row.setting for row in rows} == {
        "CPU",
        "CPU shares",
        "memory",
        "swap",
        "restart",
        "image",
        "networks",
        "ports",
        "volume /data",
        "volume /code",
        "tmpfs /scratch",
        "core file",
        "health",
    }


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"cpu_quota_us": 300_000}, "CPU"),
        ({"cpu_quota_us": None}, "CPU"),
        ({"cpu_period_us": 50_000}, "CPU"),
        ({"cpu_shares": 512}, "CPU shares"),
        ({"memory_bytes": 9 * GIB}, "memory"),
        ({"memory_bytes": None}, "memory"),
        ({"swap_bytes": 8 * GIB}, "swap"),
        ({"swap_bytes": None}, "swap"),
    ],
)
def test_a_limit_that_is_not_in_force_is_named(change: dict[str, Any], setting: str) -> None:
    """Whatever the engine says: the control group decides."""
    assert unmet(replace(LIVE, limits=replace(LIMITS, **change))) == [setting]


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"core_limit": "0"}, "core file"),
        ({"health": "unhealthy"}, "health"),
        (
            {"mounts": {**LIVE.mounts, "/code": LiveMount("/code", "ext4", False, 0)}},
            "volume /code",
        ),
        ({"mounts": {k: v for k, v in LIVE.mounts.items() if k != "/data"}}, "volume /data"),
        (
            {"mounts": {**LIVE.mounts, "/scratch": LiveMount("/scratch", "ext4", False, 0)}},
            "tmpfs /scratch",
        ),
        ({"config": replace(LIVE.config, restart=RestartSpec("always"))}, "restart"),
        ({"config": replace(LIVE.config, image="other")}, "image"),
        ({"config": replace(LIVE.config, networks=frozenset())}, "networks"),
        ({"config": replace(LIVE.config, ports=frozenset())}, "ports"),
        ({"config": replace(LIVE.config, init=False)}, "init"),
    ],
)
def test_a_setting_that_is_not_in_force_is_named(change: dict[str, Any], setting: str) -> None:
    """Mounts and the core limit as the process has them, the rest as the engine reports it."""
    assert unmet(replace(LIVE, **change)) == [setting]


def test_a_changed_environment_is_reported_without_its_values() -> None:
    """It holds passwords."""
    changed = replace(LIVE.config, environment=frozenset({("PASSWORD", "other")}))
    rows = rows_of_container(
        "engine", spec(), config_of_spec(spec(), PLACE), replace(LIVE, config=changed), QUOTA
    )
    (row,) = [row for row in rows if not row.ok]
    assert row.setting == "environment"
    assert "hush" not in str(row)
    assert "other" not in str(row)


def test_a_quota_changed_in_the_compose_file_is_named() -> None:
    """The container follows the file, and neither is what the specification says."""
    smaller = spec(cpu_quota_us=300_000)
    live = replace(LIVE, limits=replace(LIMITS, cpu_quota_us=300_000))
    assert unmet(live, smaller) == ["CPU", "CPU in the Compose file"]
    assert unmet(live, smaller, quota=None) == []


def test_shares_that_all_agree_on_may_be_the_wrong_ones() -> None:
    """File and control group say the same, the specification another."""
    live = replace(LIVE, limits=replace(LIMITS, cpu_shares=512))
    assert unmet(live, spec(cpu_shares=512)) == ["CPU shares", "CPU shares in the Compose file"]


def test_a_file_changed_under_a_running_container_is_named() -> None:
    """It runs as specified; what would run next does not."""
    assert unmet(LIVE, spec(memory_bytes=4 * GIB, memory_swap_bytes=4 * GIB)) == [
        "memory in the Compose file"
    ]


@pytest.mark.parametrize(
    ("asked", "service", "setting"),
    [
        ({"tmpfs": True}, spec(tmpfs=()), "tmpfs"),
        ({"volume": True}, spec(mounts=(Mount("./code", "/code", True),)), "volume"),
        (
            {"read_only_code": True},
            spec(mounts=(Mount("./code", "/code", False),)),
            "read-only code",
        ),
        ({"core_dumps": True}, spec(core_unlimited=False), "core dumps"),
        ({"networks": ("inside",)}, spec(), "networks"),
    ],
)
def test_what_the_compose_file_leaves_out_is_named(
    asked: dict[str, Any], service: ContainerSpec, setting: str
) -> None:
    """A row that is removed from the file keeps its proof."""
    quota = QUOTA.model_copy(update={"core_dumps": False, **asked})
    assert f"{setting} in the Compose file" in unmet(LIVE, service, quota)


def test_a_controller_that_the_group_lacks_has_a_row_of_its_own() -> None:
    """It says why the limits are not in force."""
    limits = replace(LIMITS, cpu_quota_us=None, cpu_shares=0, missing=("cpu",))
    assert unmet(replace(LIVE, limits=limits)) == ["CPU", "CPU shares", "controllers"]


def test_a_container_that_does_not_run_has_one_row() -> None:
    """Nothing is in force for it."""
    assert unmet(replace(LIVE, limits=None, status="restarting")) == ["state"]


def test_before_the_first_check_nobody_is_unhealthy() -> None:
    """The harness has asked the same check before."""
    assert unmet(replace(LIVE, health="starting")) == []


@pytest.mark.parametrize(
    ("specified", "live", "ok"),
    [
        ("1GB", "1GB", True),
        ("1024MB", "1GB", True),
        ("1GB", "128MB", False),
        ("on", "ON", True),
        ("on", "off", False),
    ],
)
def test_settings_of_servers(specified: str, live: str, ok: bool) -> None:
    """Sizes compare as sizes, texts as texts."""
    (row,) = rows_of_settings("postgres", "SHOW", {"x": specified}, {"x": live})
    assert row.ok is ok


def test_a_setting_that_is_not_reported_is_not_met() -> None:
    """Silence is no proof."""
    (row,) = rows_of_settings("redis", "CONFIG GET", {"appendonly": "yes"}, {})
    assert not row.ok


def test_anvil_outside_of_its_gate() -> None:
    """It has to be absent."""
    assert absent_row("anvil", found=False).ok
    assert not absent_row("anvil", found=True).ok


def test_nothing_verified_is_not_verified() -> None:
    """An empty table is not met."""
    assert table(())["ok"] is False


@given(st.lists(st.booleans(), min_size=1))
def test_one_unmet_row_spoils_the_table(oks: list[bool]) -> None:
    """The table is met exactly when every row is, and names every one that is not."""
    rows = [VerificationRow("c", str(n), "a", "b", ok) for n, ok in enumerate(oks)]
    found = table(rows)
    assert found["ok"] is all(oks)
    assert len(found["mismatches"]) == oks.count(False)
