"""Equal questions have equal fingerprints."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.scenario import SLO, Load, Scenario, Stage, load_scenario
from harness.scenario.question import fingerprint, question_fingerprint
from harness.stack.settings import ROOT
from tests.unit.analysis.evidence import load_of, scenario_of


def digits(*objectives: str) -> str:
    """The fingerprint of a scenario with these objectives."""
    return question_fingerprint(scenario_of(load_of(), *objectives))


SPELLINGS = (
    ("p99 < 500 ms", "p99 < 0.5 s", "p99   <  500ms", "p99.0 of latency < 500.00 ms"),
    ("rejected < 1 %", "rejected < 1.0%"),
    ("max < 500 ms",),
    ("lite p99 < 500 ms",),
    ("p99 < 501 ms",),
    ("p99 of service < 500 ms",),
    ("p99 < 500 ms outside faults",),
    ("p99 over any 5 s < 500 ms",),
)


def test_spelling_changes_nothing_and_meaning_does() -> None:
    """One fingerprint for each line of the list."""
    found = [{digits(text) for text in same} for same in SPELLINGS]
    assert [len(own) for own in found] == [1] * len(SPELLINGS)
    assert len(set[str]().union(*found)) == len(SPELLINGS)


def test_name_about_seed_and_order_change_nothing() -> None:
    """Nor does an objective that is repeated."""
    base = scenario_of(load_of(), "p99 < 500 ms", "rejected < 1 %")
    other = scenario_of(load_of(), "rejected < 1 %", "p99 < 0.5 s", "p99 < 500 ms", seed=9)
    other = other.model_copy(update={"name": "renamed", "about": "other words"})
    assert question_fingerprint(base) == question_fingerprint(other)


def test_stage_by_name_and_by_number_are_one() -> None:
    """And another stage is another question."""
    stages = tuple(
        Stage(name=name, agents=5, rate_from=50.0, rate_to=50.0, duration_s=10.0)
        for name in ("base", "peak")
    )
    load = Load(stages=stages, warmup_s=1.0)
    found = [
        question_fingerprint(scenario_of(load, f"stage {stage} p90 < 500 ms"))
        for stage in ("peak", "2", "base")
    ]
    assert found[0] == found[1] != found[2]


def test_abort_condition_is_part_of_the_question() -> None:
    """It may end the load early."""
    plain = scenario_of(load_of(), "p99 < 500 ms")
    table = plain.model_copy(update={"objectives": (SLO(objective="p99 < 500 ms"),)})
    aborts = SLO(objective="p99 < 500 ms", abort_on_fail=True)
    ending = plain.model_copy(update={"objectives": (aborts,)})
    assert question_fingerprint(plain) == question_fingerprint(table)
    assert question_fingerprint(plain) != question_fingerprint(ending)


def test_key_at_its_default_changes_nothing() -> None:
    """So a key that a later version adds does not split the history of older runs."""
    plain = scenario_of(load_of())
    document = plain.model_dump()
    assert question_fingerprint(Scenario.model_validate(document)) == question_fingerprint(plain)
    assert "fault" not in plain.model_dump(exclude_defaults=True)


@given(st.floats(1, 1000), st.floats(1, 1000))
def test_another_rate_is_another_question(one: float, other: float) -> None:
    """Two loads are one question only if they are equal."""
    found = [question_fingerprint(scenario_of(load_of(rate=rate))) for rate in (one, other)]
    assert (found[0] == found[1]) == (one == other)


def test_shipped_scenarios_differ() -> None:
    """Each asks something of its own."""
    names = ("smoke", "nightly-50", "nightly-100", "spike", "chaos")
    paths = [ROOT / "scenarios" / f"{name}.toml" for name in names]
    assert len({question_fingerprint(load_scenario(path)) for path in paths}) == len(names)


def test_order_of_keys_changes_nothing() -> None:
    """Of any document."""
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
