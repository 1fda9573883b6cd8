"""What has to be equal of runs: each difference by its aspect and key."""

from __future__ import annotations

from typing import Any

import pytest

from harness.assessment.fingerprint import (
    ASPECTS,
    differences,
    fingerprint_of,
    parse_aspects,
    question_of,
)
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.scenario import Scenario
from tests.unit.fakes import SCENARIO

STACK: dict[str, Any] = {
    "kind": "docker",
    "images": {"engine": {"id": "sha256:1"}},
    "postgres": {"version": "16", "settings": {"work_mem": {"applied": "4MB"}, "port": {}}},
    "verification": {
        "rows": [
            {"container": "engine", "setting": "CPU", "live": "4.00", "when": "start"},
            {"container": "engine", "setting": "ports", "live": "1234", "when": "start"},
        ]
    },
}
ENVIRONMENT: dict[str, Any] = {
    "host": {"cpu_model": "a", "memory_bytes": 25_276_502_016, "load_average_1min": 1.0}
}


def changed(**changes: Any) -> Scenario:
    """The scenario with other keys."""
    return Scenario.model_validate({**SCENARIO.model_dump(mode="json"), **changes})


def aspects_of(
    scenario: Scenario = SCENARIO,
    contract: Contract | None = None,
    stack: dict[str, Any] = STACK,
    environment: dict[str, Any] = ENVIRONMENT,
) -> dict[str, list[str]]:
    """The aspects and keys in which such a run differs from the usual one."""
    usual = fingerprint_of(SCENARIO, Contract(), STACK, ENVIRONMENT)
    other = fingerprint_of(scenario, contract or Contract(), stack, environment)
    found: dict[str, list[str]] = {}
    for one in differences([usual], [other]):
        found.setdefault(one.aspect, []).append(one.key)
    return found


def test_equal_runs_do_not_differ() -> None:
    """Nor do those that differ in seed, names, spelling, or what changes from run to run."""
    assert aspects_of() == {}
    assert aspects_of(changed(seed=7, name="other", about="another text")) == {}
    assert aspects_of(changed(objectives=["p99  <  0.5 s"])) == {}
    busy = {**ENVIRONMENT["host"], "load_average_1min": 9.0, "memory_bytes": 25_276_000_000}
    assert aspects_of(environment={"host": busy}) == {}
    other_port = {**STACK, "ports": {"engine": 1}, "start_ms": 5}
    assert aspects_of(stack=other_port) == {}


@pytest.mark.parametrize(
    ("changes", "aspect", "key"),
    [
        ({"signals": {"full_share": 0.5}}, "question", "signals.full_share"),
        ({"objectives": ["p99 < 400 ms"]}, "question", "objectives.0"),
        ({"engine": {"workers": 4}}, "settings", "engine.workers"),
        ({"engine": {"defects": ["slow_all"]}}, "settings", "engine.defects.0"),
        ({"postgres": {"work_mem": "8MB"}}, "settings", "postgres.work_mem"),
        ({"quota": {"engine": {"cpus": 2.0}}}, "quotas", "quota.engine.cpus"),
    ],
)
def test_a_changed_key_is_named(changes: dict[str, Any], aspect: str, key: str) -> None:
    """In the aspect that it is about, and in no other."""
    assert aspects_of(changed(**changes)) == {aspect: [key]}


@pytest.mark.parametrize(
    ("stack", "aspect", "key"),
    [
        ({"kind": "process"}, "stack", "kind"),
        ({"images": {"engine": {"id": "sha256:2"}}}, "images", "engine"),
        ({"name": "mine"}, "images", "system"),
        ({"agents_limited": False}, "quotas", "agents limited"),
    ],
)
def test_another_stack_is_named(stack: dict[str, Any], aspect: str, key: str) -> None:
    """By what it ran and what the kernel enforced."""
    assert aspects_of(stack={**STACK, **stack}) == {aspect: [key]}


def test_limits_in_force_count_and_other_rows_do_not() -> None:
    """A port is another one in every run."""
    rows = [{**row, "live": "other"} for row in STACK["verification"]["rows"]]
    assert aspects_of(stack={**STACK, "verification": {"rows": rows}}) == {
        "quotas": ["live engine CPU"]
    }


def test_host_and_contract_are_compared() -> None:
    """Another machine, other names."""
    assert aspects_of(environment={"host": {"cpu_model": "b", "memory_bytes": 1 << 34}}) == {
        "host": ["cpu_model", "memory_gib"]
    }
    assert list(aspects_of(contract=Contract().with_stream_maxlen(77))) == ["contract"]


@pytest.mark.parametrize(
    "hostile",
    [{}, {"images": [], "verification": {"rows": [7, {}]}, "postgres": 5, "kind": None}],
)
def test_damaged_facts_are_no_crash(hostile: dict[str, Any]) -> None:
    """They differ from those of other runs."""
    assert "stack" in aspects_of(stack=hostile, environment={"host": 3})


def test_aspects_are_read_by_name() -> None:
    """One, several, all; the nearest name for a wrong one."""
    assert parse_aspects("") == frozenset()
    assert parse_aspects("host, images") == {"host", "images"}
    assert parse_aspects("all") == set(ASPECTS)
    with pytest.raises(UsageError) as caught:
        parse_aspects("image")
    assert "images" in caught.value.hint


def test_the_question_has_no_settings() -> None:
    """They are another aspect."""
    assert not any(key.startswith(("engine", "quota", "postgres")) for key in question_of(SCENARIO))
