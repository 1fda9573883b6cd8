"""Remarks of the diagnosis."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.measurement import ThroughputFigures
from tests.unit.diagnosis.diagnosis_cases import (
    END,
    changed,
    diagnosed,
    facts,
    idle_run,
    in_slow,
    telemetry,
    track,
)


def keys(*tracks: object, **others: object) -> list[str]:
    """Kinds of the remarks on a run with slow seconds."""
    found = diagnosed(facts(*changed(*tracks), **others))  # type: ignore[arg-type]  # passed on
    return [remark.key for remark in found.remarks]


def second(number: int, simulated: int, in_flight: int) -> ThroughputFigures:
    """One second at 100 signals/s."""
    return ThroughputFigures(
        start_s=float(number),
        length_s=1.0,
        intended=100,
        sent=100,
        accepted=100,
        simulated=simulated,
        lateness_p99_ns=None,
        lateness_max_ns=None,
        in_flight=in_flight,
    )


def stalled(first: int, last: int) -> tuple[ThroughputFigures, ...]:
    """A run whose engine stalls for some seconds, and catches up in the next."""
    stall = range(first, last + 1)
    found = []
    for number in range(END):
        if number in stall:
            found.append(second(number, 0, 100 * (number - first + 1)))
        elif number == last + 1:
            found.append(second(number, 100 * (len(stall) + 1), 3))
        else:
            found.append(second(number, 100, 3))
    return tuple(found)


def test_stall_of_the_engine_is_reported_with_its_time() -> None:
    """No transition from 15 to 18 s, and the engine's CPU time in it."""
    cpu = track("service.engine.cpu_cores", in_slow(0.0, 0.4, range(15, 18)), 4.0, "cgroup")
    found = diagnosed(facts(*changed(cpu), slow=range(15, 18), seconds=stalled(15, 17)))
    assert found.headline is None
    assert [remark.key for remark in found.remarks] == ["stall"]
    stall, used = found.remarks[0].evidence
    assert (stall.start_s, stall.end_s) == (15, 18)
    assert (used.track, used.value) == (cpu.name, 0.0)


def test_a_second_without_load_is_no_stall() -> None:
    """Without signals nothing is simulated; an ordinary run has no stall either."""
    empty = {20, 21, 22}
    idle = tuple(second(n, 0 if n in empty else 100, 0 if n in empty else 3) for n in range(END))
    assert keys(seconds=idle) == []
    assert keys(seconds=tuple(second(n, 95 + n % 9, 4) for n in range(END))) == []


def test_other_services_at_their_limits() -> None:
    """Throttled, near the quota, near the memory limit."""
    assert keys(track("service.postgres.throttled_share", in_slow(0.6, 0.0))) == ["throttling"]
    assert keys(track("service.postgres.cpu_cores", in_slow(1.9, 0.5), 2.0)) == ["service_cpu"]
    assert keys(track("service.redis.cpu_busiest_cores", in_slow(0.97, 0.5), 1.0)) == [
        "service_cpu"
    ]
    assert keys(track("service.postgres.memory_bytes", 3.9e9, 4e9)) == ["service_memory"]
    assert keys(track("service.postgres.memory_bytes", 2e9, 4e9)) == []


def test_append_only_file() -> None:
    """A rewrite in slow seconds is reported, one that lasts all the time explains nothing."""
    rewrite = "redis.aof_rewrite_count"
    assert keys(track(rewrite, in_slow(1, 0))) == ["aof_rewrite"]
    assert keys(track(rewrite, 1.0)) == []
    assert keys(track(rewrite, in_slow(0, 1))) == []
    assert keys(track("redis.aof_delayed_per_s", in_slow(2, 0))) == ["aof_rewrite"]


def test_checkpoints_that_fall_into_few_slow_seconds() -> None:
    """Reported when all of them lie there."""
    checkpoint, slow = "postgres.checkpoint_count", (20, 21)
    assert keys(track(checkpoint, lambda s: float(s == 21)), slow=slow) == ["checkpoint"]
    assert keys(track(checkpoint, lambda s: float(s in (21, 30))), slow=slow) == []
    assert keys(track(checkpoint, lambda s: float(s == 21)), slow=range(5, 35)) == []


def test_hot_address_needs_more_than_its_part() -> None:
    """One of five agents with a fifth of the signals has no hot address."""
    assert keys(used={1: 600, 2: 600, 3: 600, 4: 600, 5: 600}) == []
    assert keys(used={1: 2_000, 2: 250, 3: 250, 4: 250, 5: 250}) == ["hot_address"]
    fast = facts(*idle_run(), slow=(), used={1: 3_000})
    assert diagnosed(fast, on_demand=True).remarks == ()


def test_missing_sources_come_last() -> None:
    """A reason for each, at most four of them."""
    unread = {f"service.{number}": "gone" for number in range(6)}
    lacking = replace(telemetry(*idle_run()), unread=unread)
    remark = diagnosed(replace(facts(), telemetry=lacking)).remarks[-1]
    assert remark.key == "telemetry"
    assert remark.message.endswith("service.3 (gone); and 2 more")
