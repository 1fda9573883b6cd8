"""Laws of the diagnosis, for any telemetry."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.diagnosis.answers import Answer, Diagnosis
from harness.diagnosis.diagnose import QUESTIONS
from tests.unit.diagnosis.diagnosis_cases import (
    END,
    GIB,
    SLOW,
    diagnosed,
    facts,
    idle_run,
    track,
)

# Name, an ordinary value, the largest to draw, limit.
_DRAWN: tuple[tuple[str, float, float | None], ...] = (
    ("service.engine.cpu_cores", 4.0, 4.0),
    ("service.engine.cpu_busiest_cores", 1.0, 1.0),
    ("service.engine.cpu_wait_cores", 2.0, None),
    ("service.engine.throttled_share", 1.0, 1.0),
    ("host.idle_cores", 2.0, 2.0),
    ("redis.memory_bytes", 5 * GIB, 4 * GIB),
    ("redis.stream.dev:stream:agent:proposals.length_count", 1e6, 1e4),
    ("postgres.nonce_waiters_count", 3.0, None),
    ("postgres.nonce_waiting_share", 1.0, 1.0),
    ("postgres.nonce_wait_ms", 1_000.0, None),
    ("rpc.primary.mean_ms", 300.0, 100.0),
    ("rpc.primary.requests_per_s", 50.0, None),
    ("rpc.primary.failures_per_s", 5.0, None),
)
_SAMPLES = range(-3, END + 6)


@st.composite
def tracks(draw: st.DrawFn) -> tuple[TimeSeries, ...]:
    """Some of the series, each with a level in slow seconds and one in the others."""
    found = []
    for name, most, limit in _DRAWN:
        if not draw(st.booleans()):
            continue
        high, low = (draw(st.floats(0, most, allow_nan=False)) for _ in range(2))
        first = draw(st.integers(-3, END))
        at = [second for second in _SAMPLES if second >= first]
        values = tuple(high if second in SLOW else low for second in at)
        found.append(TimeSeries(name, tuple(float(second) for second in at), values, limit))
    return tuple(found)


slow_seconds = st.sampled_from([(), SLOW, (7,), tuple(range(5, 35))])


def on_demand(found: tuple[TimeSeries, ...], slow: tuple[int, ...]) -> Diagnosis:
    """The diagnosis of a run, whatever its latency."""
    return diagnosed(facts(*found, slow=slow), on_demand=True)


@given(tracks(), slow_seconds)
@settings(max_examples=60, deadline=None)
def test_a_yes_rests_on_evidence_beyond_its_threshold(
    found: tuple[TimeSeries, ...], slow: tuple[int, ...]
) -> None:
    """And they come in their order, the first yes being the headline."""
    diagnosis = on_demand(found, slow)
    assert [one.key for one in diagnosis.questions] == [one.key for one in QUESTIONS]
    yes = [question for question in diagnosis.questions if question.answer is Answer.YES]
    assert diagnosis.headline == (yes[0].message if yes else None)
    names = {one.name for one in found}
    for question in diagnosis.questions:
        assert {evidence.track for evidence in question.evidence} <= names
        assert bool(question.advice) is (question.answer is Answer.YES)
        assert bool(question.evidence) or question.answer is not Answer.YES
    for question in yes:
        assert any(_beyond(one.track, one.value, one.limit) for one in question.evidence), question


def _beyond(name: str, value: float, limit: float | None) -> bool:
    if name == "host.idle_cores":
        return limit is not None and value < limit
    # Failures have no limit.
    return value > 0 and value >= (limit or 0.0)


@given(tracks(), slow_seconds, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_tracks_changes_nothing(
    found: tuple[TimeSeries, ...], slow: tuple[int, ...], random: object
) -> None:
    """Nor does an idle series that no question reads."""
    before = on_demand(found, slow)
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a Random
    assert on_demand(tuple(shuffled), slow) == before
    bystander = track("service.archiver.cpu_cores", 0.01, 0.5, "cgroup")
    page = track("page.engine.defi_watermark_lag_blocks{}", 0.0)
    assert on_demand((bystander, *shuffled, page), slow) == before


@given(slow_seconds, st.floats(0.0, 0.5))
@settings(max_examples=30, deadline=None)
def test_idle_telemetry_gives_no_yes(slow: tuple[int, ...], part: float) -> None:
    """Whatever part of the usual figures, however slow signals are."""
    found = tuple(
        one
        if one.name == "host.idle_cores"
        else replace(one, values=tuple(part * value for value in one.values))
        for one in idle_run()
    )
    diagnosis = on_demand(found, slow)
    assert diagnosis.headline is None
    assert Answer.YES not in {question.answer for question in diagnosis.questions}


@given(tracks(), st.floats(-3, END))
@settings(max_examples=30, deadline=None)
def test_what_happens_outside_of_the_measured_load_changes_no_answer(
    found: tuple[TimeSeries, ...], level: float
) -> None:
    """A peak in the warm-up, whatever its height, is no cause."""
    spoiled = tuple(
        replace(
            one,
            values=tuple(
                level * 1e3 if at <= 5 else value
                for at, value in zip(one.at_s, one.values, strict=True)
            ),
        )
        for one in found
    )
    for ask, before, after in zip(
        QUESTIONS,
        on_demand(found, SLOW).questions,
        on_demand(spoiled, SLOW).questions,
        strict=True,
    ):
        assert before.answer is after.answer, ask


def test_diagnosis_survives_json() -> None:
    """As it is stored in a result."""
    found = on_demand(idle_run(), SLOW)
    assert Diagnosis.model_validate_json(found.model_dump_json()) == found


def test_empty_telemetry_is_no_crash() -> None:
    """Present, and nothing in it."""
    run = replace(facts(), telemetry=Telemetry(present=True, unread={"redis": "no password"}))
    found = diagnosed(run)
    assert {question.answer for question in found.questions} == {Answer.UNKNOWN}
    assert found.questions[1].message.endswith("; no password")
