"""Healthy evidence passes; objectives decide; the judgement is sound in itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analysis.histogram import empty_histogram
from harness.analysis.histogram_encoding import decode
from harness.analysis.measurement import Measurement
from harness.assessment.assess import assess, assess_and_store
from harness.contract.names import State
from harness.evidence.manifest import write_manifest
from harness.judge.check import Check, CheckContext
from harness.judge.judgement import CHECKS, CheckRule, Judgement, judge
from harness.judge.verdict import Verdict
from harness.scenario import Engine
from tests.unit.analysis.evidence import (
    MS,
    healthy,
    load_of,
)
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean


def test_healthy_run_passes(tmp_path: Path) -> None:
    """Nothing to find: no alarm, exit 0, and the same answer when judged again."""
    folder = healthy(load_of(processes=2), "p99 < 500 ms", "rate >= 99 %", "rejected < 1 %").write(
        tmp_path
    )
    first, second = assess(folder), assess(folder)
    assert unclean(first) == {}
    assert first.judgement.verdict is Verdict.PASS
    assert first.judgement.exit_code == 0
    assert first == second


@pytest.mark.parametrize("seed", range(2, 8))
def test_clean_runs_raise_no_alarm(seed: int, tmp_path: Path) -> None:
    """Other seeds, loads and modes: still no alarm."""
    load = load_of(agents=seed, rate=40.0 * seed, duration_s=12.0, processes=1 + seed % 3)
    found = assessed(healthy(load, seed=seed, full_every=seed % 4), tmp_path)
    assert unclean(found) == {}


def test_engine_that_rejects_everything_fails(tmp_path: Path) -> None:
    """Even when no objective speaks of rejections."""
    world = healthy()
    violations.reject(
        world, np.ones(len(world.attempts[0]), dtype=np.bool_), State.STALE_DATA_ERROR
    )
    found = assessed(world, tmp_path)
    assert found.judgement.verdict is Verdict.FAIL
    assert unclean(found)["signals_simulated"] is Verdict.FAIL
    assert found.measurement.account.rejected_by == {"STALE_DATA_ERROR": len(world.attempts[0])}


def test_rejections_are_reported_and_judged_when_limited(tmp_path: Path) -> None:
    """5 % of rejections break `rejected < 1 %` and every P99; a P90 alone decides nothing."""
    for objectives, verdict in (
        (("p90 < 500 ms",), Verdict.INCONCLUSIVE),
        (("p90 < 500 ms", "rejected < 1 %"), Verdict.FAIL),
        (("p90 < 500 ms", "rejected < 10 %"), Verdict.PASS),
        (("p99 < 500 ms", "rejected < 10 %"), Verdict.FAIL),
    ):
        world = healthy(None, *objectives)
        violations.reject(
            world, np.arange(len(world.attempts[0])) % 20 == 3, State.INVARIANT_BROKEN
        )
        found = assessed(world, tmp_path)
        assert found.judgement.verdict is verdict
        assert found.measurement.account.rejected > 90
        figures = found.measurement.of("rejected", "measure", "lite")
        assert figures is not None


def test_stale_on_purpose_is_no_rejection(tmp_path: Path) -> None:
    """Refusing every tenth signal that was sent stale misses no objective, and is no latency."""
    found = assessed(healthy(None, "p99 < 500 ms", "rejected < 1 %", stale_every=10), tmp_path)
    assert unclean(found) == {}
    assert {"stale_refused"} <= {check.id for check in found.judgement.checks}
    account = found.measurement.account
    assert account.stale == account.stale_rejected == account.rejected > 200
    latency = found.measurement.of("latency", "measure", "lite")
    assert latency is not None
    assert latency.censored == 0
    assert latency.count == found.measurement.accounts["measure"].simulated


def test_ordinary_signal_refused_as_stale_is_a_rejection(tmp_path: Path) -> None:
    """The engine may call stale only what is."""
    world = healthy(None, "p90 < 500 ms", "rejected < 1 %", stale_every=10)
    chosen = (np.arange(len(world.attempts[0])) % 20 == 3) & (world.attempts[0]["stale"] == 0)
    violations.reject(world, chosen, State.STALE_DATA_ERROR)
    assert unclean(assessed(world, tmp_path)) == {"rejected_share": Verdict.FAIL}


def test_stale_signals_that_could_not_be_sent_leave_it_open(tmp_path: Path) -> None:
    """A scenario that asks for them and a chain too young for any: nothing was tested."""
    world = healthy(None, "p50 < 500 ms", "rejected < 20 %", stale_every=10)
    world.attempts[0]["stale"] = 0
    world.attempts[0]["sync_block"] = 5
    assert unclean(assessed(world, tmp_path)) == {"stale_refused": Verdict.INCONCLUSIVE}


def constant(delay_ms: int) -> Callable[[int], NDArray[np.int64]]:
    """The same delay for every signal."""
    return lambda count: np.full(count, delay_ms * MS, dtype=np.int64)


def test_objective_decides(tmp_path: Path) -> None:
    """600 ms breaks 500 ms, 10 ms keeps it, and each objective is a check of its own."""
    slow = assessed(healthy(delays=constant(600)), tmp_path)
    assert unclean(slow) == {"latency_p99": Verdict.FAIL}
    both = assessed(healthy(None, "p50 < 5 ms", "max < 2 s"), tmp_path)
    assert unclean(both) == {"latency_p50": Verdict.FAIL}


def test_modes_are_judged_apart(tmp_path: Path) -> None:
    """Slow signals of the rare mode do not hide behind the quick ones of the other."""
    base = healthy(load_of(rate=200.0), full_every=8)
    mode = base.attempts[0]["mode"]
    world = healthy(
        load_of(rate=200.0), delays=lambda _: np.where(mode == 1, 700 * MS, 10 * MS), full_every=8
    )
    found = assessed(world, tmp_path)
    assert unclean(found) == {"latency_p99_full": Verdict.FAIL}


def test_objective_on_a_mode_that_did_not_occur_is_invalid(tmp_path: Path) -> None:
    """Nothing measured, no objective."""
    found = assessed(healthy(None, "full p99 < 680 ms"), tmp_path)
    assert unclean(found) == {"latency_p99_full": Verdict.INVALID}


def test_too_few_signals_are_inconclusive_and_say_how_long(tmp_path: Path) -> None:
    """100 signals cannot bound P99 from above."""
    found = assessed(healthy(load_of(rate=10.0, duration_s=10.0)), tmp_path)
    assert unclean(found) == {"latency_p99": Verdict.INCONCLUSIVE}
    check = next(check for check in found.judgement.checks if check.id == "latency_p99")
    assert "without an upper bound" in check.message
    assert "longer" in check.message
    assert found.judgement.exit_code == 3


def test_crashed_check_is_invalid_and_keeps_what_it_had_found(tmp_path: Path) -> None:
    """A check that crashes was not made; it is named, and never a pass."""

    def check_broken(case: CheckContext) -> Check:
        raise ZeroDivisionError("made up")

    cases: list[CheckContext] = []

    def keep(case: CheckContext) -> list[Check]:
        cases.append(case)
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "harness.assessment.assess.judge", lambda case: judge(case, [CheckRule(keep)])
        )
        assessed(healthy(), tmp_path)
    found = judge(cases[0], [*CHECKS, CheckRule(check_broken)])
    assert found.verdict is Verdict.INVALID
    crashed = found.checks[-1]
    assert (crashed.id, crashed.figures) == ("check_crashed", {"check": "check_broken"})
    assert crashed.message.endswith("crashed: ZeroDivisionError: made up")
    assert found.checks[:-1] == judge(cases[0], CHECKS).checks
    assert found.reasons == (crashed,)


def test_result_is_stored_and_comes_back(tmp_path: Path) -> None:
    """Measurement and judgement survive their JSON; the same run is stored the same again."""
    folder = healthy(full_every=3).write(tmp_path)
    found = assess_and_store(folder)
    first = folder.result.read_bytes()
    document = json.loads(folder.result.read_text(encoding="utf-8"))
    assert Measurement.model_validate(document["measurement"]) == found.measurement
    stored = Judgement.model_validate_json(json.dumps(document["judgement"]))
    assert stored == found.judgement
    assert (document["verdict"], document["exit_code"]) == ("PASS", 0)
    assert assess_and_store(folder) == found
    assert folder.result.read_bytes() == first


def test_stored_histograms_are_the_measured_ones(tmp_path: Path) -> None:
    """Encoded histograms decode to the figures, and logged intervals sum to the whole."""
    folder = healthy(full_every=3).write(tmp_path)
    found = assess_and_store(folder)
    for figures in found.measurement.figures:
        histogram = decode(
            figures.histogram,
            sum_ns=figures.sum_ns,
            min_ns=figures.min_ns,
            max_ns=figures.max_ns,
        )
        assert histogram.count == figures.count
        assert histogram.mean_ns == figures.mean_ns
        for name, value in figures.percentiles_ns.items():
            assert histogram.percentile_ns(float(name[1:])) == value
        log = folder.histograms / f"{figures.phase}-{figures.mode}-{figures.metric}.hlog"
        payloads = [
            line.rpartition(",")[2]
            for line in log.read_text(encoding="utf-8").splitlines()
            if line.startswith("Tag=")
        ]
        total = sum((decode(payload) for payload in payloads), start=empty_histogram())
        assert np.array_equal(total.counts, histogram.counts)
        if figures.metric == "latency" and figures.phase == "measure":
            assert len(payloads) > 15


def row(setting: str, live: str, when: str) -> dict[str, object]:
    """A row of the verification; 8 GiB is specified."""
    return {
        "container": "go-execution-engine",
        "setting": setting,
        "specified": "8 GiB",
        "live": live,
        "ok": live == "8 GiB",
        "when": when,
    }


def verified(*rows: dict[str, object]) -> dict[str, object]:
    """What a stack of real containers, apart from the generator, says of itself."""
    return {
        "kind": "docker",
        "grade_reasons": [],
        "generator_apart": True,
        "verification": {"rows": list(rows)},
    }


GOOD_ROWS = (row("memory", "8 GiB", "start"), row("memory", "8 GiB", "end"))


def test_grade_needs_every_fact(tmp_path: Path) -> None:
    """A sign-off is given only for what was verified and written down, and says what is not."""
    world = healthy(load_of(rate=5.0, duration_s=300.0), "p50 < 500 ms")
    assert len(assessed(world, tmp_path).judgement.grade.reasons) == 4
    world.stack = verified(*GOOD_ROWS)
    assert assessed(world, tmp_path).judgement.grade.level == "signoff"
    for name, value in (("grade_reasons", ["not the real engine"]), ("generator_apart", False)):
        world.stack = {**verified(*GOOD_ROWS), name: value}
        grade = assessed(world, tmp_path).judgement.grade
        assert (grade.level, len(grade.reasons)) == ("indicative", 1)


def test_a_known_capacity_is_no_signoff(tmp_path: Path) -> None:
    """The reference engine was slowed down on purpose."""
    world = healthy(load_of())
    engine = Engine(workers=1, service="token_bucket", service_rate=300)
    world.scenario = world.scenario.model_copy(update={"engine": engine})
    grade = assess(world.write(tmp_path)).judgement.grade
    assert "the reference engine had a stated service rate" in grade.reasons


def test_defects_on_purpose_are_no_signoff(tmp_path: Path) -> None:
    """A run with named defects says so, whatever its verdict; its ground truth is not read."""
    world = healthy(load_of())
    engine = world.scenario.engine.model_copy(update={"defects": ("stuck_row:rate=0",)})
    world.scenario = world.scenario.model_copy(update={"engine": engine})
    folder = world.write(tmp_path)
    folder.defects.write_bytes(b"not even JSON")
    grade = assess(folder).judgement.grade
    assert "defects were switched on in the reference services" in grade.reasons


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((), "not read at the end"),
        (GOOD_ROWS[:1], "not read at the end"),
        (
            (GOOD_ROWS[0], row("memory", "4 GiB", "end")),
            "go-execution-engine: memory is 4 GiB, specified is 8 GiB (end)",
        ),
    ],
)
def test_quota_that_is_not_in_force_makes_the_run_invalid(
    tmp_path: Path, rows: tuple[dict[str, object], ...], text: str
) -> None:
    """A row that differs, or that nobody read, is never passed over, and is named."""
    world = healthy()
    world.stack = verified(*rows)
    found = assessed(world, tmp_path).judgement
    assert found.verdict is Verdict.INVALID
    assert [check.id for check in found.reasons] == ["quotas_enforced"]
    assert text in found.reasons[0].message


def test_run_without_the_description_of_the_stack_is_invalid(tmp_path: Path) -> None:
    """Every run writes both files; without them nobody knows what was measured, and where."""
    folder = healthy().write(tmp_path)
    folder.stack.unlink()
    folder.environment.unlink()
    write_manifest(folder)
    found = assess(folder)
    assert unclean(found) == {
        "evidence_complete": Verdict.INVALID,
        "stack_consistent": Verdict.INVALID,
    }
    assert "the commit of the harness is not known" in found.judgement.grade.reasons
