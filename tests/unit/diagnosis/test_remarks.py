"""What else stands out, and what does not."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.measurement import ThroughputFigures
from tests.unit.diagnosis.diagnosis_cases import (
    END,
    asked,
    changed,
    facts,
    in_slow,
    quiet,
    telemetry,
    track,
)


def keys(*tracks: object, **others: object) -> list[str]:
    """Kinds of the remarks on a run with slow seconds."""
    found = asked(facts(*changed(*tracks), **others))  # type: ignore[arg-type]  # passed on
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
    """A run that stands still for some seconds, and catches up in the next."""
    still = range(first, last + 1)
    found = []
    for number in range(END):
        if number in still:
            found.append(second(number, 0, 100 * (number - first + 1)))
        elif number == last + 1:
            found.append(second(number, 100 * (len(still) + 1), 3))
        else:
            found.append(second(number, 100, 3))
    return tuple(found)


def test_engine_that_stood_still_is_told_with_the_time() -> None:
    """No transition from 15 to 18 s, and what the engine used meanwhile."""
    cpu = track("service.engine.cpu_cores", in_slow(0.0, 0.4, range(15, 18)), 4.0, "cgroup")
    found = asked(facts(*changed(cpu), slow=range(15, 18), seconds=stalled(15, 17)))
    assert found.headline is None
    assert [remark.key for remark in found.remarks] == ["stall"]
    assert "no transition was seen from 15-18 s while signals waited" in found.remarks[0].message
    assert "engine used 0.00 cores meanwhile" in found.remarks[0].message


def test_a_second_without_load_is_no_stall() -> None:
    """Nothing is simulated where nothing was sent; nor does an ordinary run stand still."""
    empty = {20, 21, 22}
    idle = tuple(second(n, 0 if n in empty else 100, 0 if n in empty else 3) for n in range(END))
    assert keys(seconds=idle) == []
    assert keys(seconds=tuple(second(n, 95 + n % 9, 4) for n in range(END))) == []


def test_other_services_at_their_limits() -> None:
    """Held back, near the quota, near the end of memory."""
    assert keys(track("service.postgres.throttled_share", in_slow(0.6, 0.0))) == ["throttling"]
    assert keys(track("service.postgres.cpu_cores", in_slow(1.9, 0.5), 2.0)) == ["service_cpu"]
    assert keys(track("service.redis.cpu_busiest_cores", in_slow(0.97, 0.5), 1.0)) == [
        "service_cpu"
    ]
    assert keys(track("service.postgres.memory_bytes", 3.9e9, 4e9)) == ["service_memory"]
    assert keys(track("service.postgres.memory_bytes", 2e9, 4e9)) == []


def test_append_only_file() -> None:
    """A rewrite in slow seconds is told, one that goes on all the time explains nothing."""
    rewrite = "redis.aof_rewrite_count"
    assert keys(track(rewrite, in_slow(1, 0))) == ["aof_rewrite"]
    assert keys(track(rewrite, 1.0)) == []
    assert keys(track(rewrite, in_slow(0, 1))) == []
    assert keys(track("redis.aof_delayed_per_s", in_slow(2, 0))) == ["aof_rewrite"]


def test_checkpoints_that_fall_into_few_slow_seconds() -> None:
    """All of them there, or it is a neighbour in time only."""
    checkpoint, slow = "postgres.checkpoint_count", (20, 21)
    assert keys(track(checkpoint, lambda s: float(s == 21)), slow=slow) == ["checkpoint"]
    assert keys(track(checkpoint, lambda s: float(s in (21, 30))), slow=slow) == []
    assert keys(track(checkpoint, lambda s: float(s == 21)), slow=range(5, 35)) == []


def test_hot_address_needs_more_than_its_part() -> None:
    """One of five agents with a fifth of the signals is no hot address."""
    assert keys(used={1: 600, 2: 600, 3: 600, 4: 600, 5: 600}) == []
    assert keys(used={1: 2_000, 2: 250, 3: 250, 4: 250, 5: 250}) == ["hot_address"]
    easy = facts(*quiet(), slow=(), used={1: 3_000})
    assert asked(easy, on_demand=True).remarks == ()


def test_what_was_not_read_is_told_last() -> None:
    """A reason for each, at most four of them."""
    unread = {f"service.{number}": "gone" for number in range(6)}
    lacking = replace(telemetry(*quiet()), unread=unread)
    remark = asked(replace(facts(), telemetry=lacking)).remarks[-1]
    assert remark.key == "telemetry"
    assert remark.message.endswith("service.3 (gone); and 2 more")
