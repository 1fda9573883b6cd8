"""Every check is declared once, and docs/validity.md has them all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assessment.check_table import DOCS, TABLES, all_specs, with_table
from harness.judge.check import CheckKind, NotApplicable
from harness.judge.judgement import unique_ids
from harness.judge.scope import objective_spec
from harness.scenario.objective import GRAMMAR, parse_objective
from harness.scenario.objective_metrics import OBJECTIVE_METRICS, ObjectiveMetric


def test_ids_and_titles_are_unique_and_of_one_form() -> None:
    """Ids are snake_case; each check says what a status other than PASS means."""
    specs = all_specs()
    assert len({spec.id for spec in specs}) == len({spec.name for spec in specs}) == len(specs)
    for spec in specs:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", spec.id), spec.id
        assert spec.fail if spec.kind is CheckKind.INTEGRITY else spec.fail or spec.invalid, spec.id
        # No objective of a scenario has such an id.
        assert not re.match(f"({'|'.join(OBJECTIVE_METRICS)})_", spec.id)


@pytest.mark.parametrize(("page", "table"), TABLES)
def test_the_document_has_the_table_of_the_code(page: str, table: str) -> None:
    """After a change of a check or a metric: `make schema`."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert with_table(text, table, TABLES[page, table]()) == text, "run `make schema`"


@pytest.mark.parametrize("metric", OBJECTIVE_METRICS.values(), ids=OBJECTIVE_METRICS)
def test_every_metric_is_one_entry(metric: ObjectiveMetric) -> None:
    """Its example is an objective of it, in the grammar; its check exists."""
    assert parse_objective(metric.example).metric == metric.name
    assert metric.name in GRAMMAR
    assert callable(metric.load_check())


def test_ids_of_objectives_say_what_they_measure_without_the_limit() -> None:
    """Metric, percentile, window, stage, mode and exclusion."""
    for text, expected in (
        ("p99 < 500 ms", "latency_p99"),
        ("p99 < 2 s", "latency_p99"),
        ("lite p99.9 of service < 1 s", "service_p99_9_lite"),
        ("max of lateness < 1 s", "lateness_max"),
        ("p90 over any 2.5 s < 1 s", "latency_p90_over_2_5s"),
        ("stage Peak-1 full p50 < 80 ms", "latency_p50_stage_peak_1_full"),
        ("p99 < 1 s outside faults", "latency_p99_outside_faults"),
        ("rejected < 1 %", "rejected_share"),
        ("simulated >= 99 %", "simulated_share"),
        ("rate >= 99 %", "rate_share"),
        ("recovery < 5 s", "recovery_time"),
        ("p99.999999999 < 1 s", "latency_p99_999999999"),
    ):
        spec = objective_spec(parse_objective(text))
        assert (spec.id, spec.name, spec.objective) == (expected, text, text)


@given(st.lists(st.sampled_from(["a", "a_2", "a_2_2", "b"])))
def test_ids_become_unique_in_order(ids: list[str]) -> None:
    """Each keeps its own id as a prefix; the first of several keeps it whole."""
    found = unique_ids(ids)
    assert len(set(found)) == len(found) == len(ids)
    assert all(new.startswith(old) for old, new in zip(ids, found, strict=True))
    assert found[:1] == ids[:1]


def test_the_document_has_every_reason_of_a_check_that_does_not_apply() -> None:
    """Programs read the figure `reason`."""
    text = (DOCS / "output.md").read_text(encoding="utf-8")
    assert [one for one in NotApplicable if f"`{one}`" not in text] == []
