"""Each question of the diagnosis, on constructed runs."""

from __future__ import annotations

import pytest

from harness.analysis.resources.telemetry import LockWait, TimeSeries
from harness.diagnosis.answers import Answer, Diagnosis, Question
from harness.diagnosis.diagnose import QUESTIONS
from tests.unit.diagnosis.diagnosis_cases import (
    GIB,
    SLOW,
    answer,
    changed,
    diagnosed,
    diagnosis_of,
    facts,
    idle_run,
    in_slow,
    track,
)

CPU, BUSIEST = "service.engine.cpu_cores", "service.engine.cpu_busiest_cores"
WAIT, THROTTLED = "service.engine.cpu_wait_cores", "service.engine.throttled_share"
STREAM = "redis.stream.dev:stream:agent:proposals.length_count"
MEMORY, REFUSED = "redis.memory_bytes", "redis.refused_per_s"
# Those whose series `idle_run` has.
SPECIFIED = {"engine_cpu", "redis_memory", "nonce_locks", "rpc", "host"}
SHARE, LONGEST = "postgres.nonce_waiting_share", "postgres.nonce_wait_ms"


def ask(key: str, *tracks: TimeSeries) -> Question:
    """The answer to one question in a run with slow seconds."""
    return answer(diagnosed(facts(*changed(*tracks))), key)


def values(question: Question) -> dict[str, float]:
    """The figures that an answer rests on, by series."""
    return {one.track: one.value for one in question.evidence}


def answers(diagnosis: Diagnosis) -> list[Answer]:
    """All answers in their order."""
    return [question.answer for question in diagnosis.questions]


def test_keys_of_questions_are_unique() -> None:
    """A stored answer names its question."""
    keys = [question.key for question in QUESTIONS]
    assert len(set(keys)) == len(keys)


def test_objectives_far_from_their_limits_need_no_diagnosis() -> None:
    """P99 of 20 ms with a limit of 500 ms needs none; 400 ms does; on demand it is made."""
    fast = facts(*idle_run(), slow=())
    assert diagnosis_of(fast) is None
    assert diagnosed(fast, on_demand=True).because == "on demand"
    near = diagnosed(facts(*idle_run(), slow=(), p99_ms=400))
    assert near.because == "p99 < 500 ms: 400 ms is 80 % of the limit"
    assert diagnosis_of(facts(*idle_run(), slow=(), p99_ms=399)) is None


def test_idle_run_has_no_cause() -> None:
    """Each of these answers is no, with figures, whether signals are slow or not."""
    for found in (
        diagnosed(facts(*idle_run())),
        diagnosed(facts(*idle_run(), slow=()), on_demand=True),
    ):
        assert {one.key for one in found.questions if one.answer is Answer.NO} >= SPECIFIED
        assert found.headline is None
        assert found.remarks == ()
        assert all(one.evidence for one in found.questions if one.answer is Answer.NO)


def test_engine_above_its_quota() -> None:
    """In the slow seconds, with a correlation."""
    found = ask("engine_cpu", track(CPU, in_slow(3.7, 1.0), 4.0, "cgroup"))
    assert found.answer is Answer.YES
    assert "quota" in found.advice
    evidence = found.evidence[0]
    assert evidence.track == CPU
    assert evidence.value == pytest.approx(3.7)
    assert evidence.limit == pytest.approx(3.2)
    assert (evidence.correlation or 0) > 0.7
    assert evidence.start_s >= 15


def test_busy_warm_up_is_no_cause() -> None:
    """Nor is one busy second after a stall: most of the slow time counts."""
    warm_up = track(CPU, lambda second: 3.9 if second <= 5 else 1.0, 4.0, "cgroup")
    assert ask("engine_cpu", warm_up).answer is Answer.NO
    after = track(CPU, lambda second: 3.9 if second in (24, 25) else 0.0, 4.0, "cgroup")
    assert ask("engine_cpu", after).answer is Answer.NO


def test_engine_below_its_quota_that_works_in_bursts() -> None:
    """Half of the periods are throttled: yes, with the throttling as its figure."""
    found = ask(
        "engine_cpu", track(CPU, in_slow(2.0, 1.0), 4.0), track(THROTTLED, in_slow(0.5, 0.0))
    )
    assert found.answer is Answer.YES
    assert [one.track for one in found.evidence] == [THROTTLED, CPU]


def test_engine_with_one_busy_thread() -> None:
    """A larger quota does not help, and the advice is another one."""
    found = ask(
        "engine_cpu", track(CPU, 1.2, 4.0, "cgroup"), track(BUSIEST, in_slow(0.98, 0.4), 1.0)
    )
    assert found.answer is Answer.YES
    assert [one.track for one in found.evidence] == [BUSIEST]
    full = ask("engine_cpu", track(CPU, in_slow(3.7, 1.0), 4.0, "cgroup"))
    assert found.advice != full.advice


def test_engine_on_a_host_without_a_core_for_it() -> None:
    """Without a quota: runnable most of the time while no core was idle."""
    starved = (track(CPU, in_slow(0.5, 0.3)), track(WAIT, in_slow(1.2, 0.1)))
    found = ask("engine_cpu", *starved, track("host.idle_cores", 0.02, 2.0))
    assert found.answer is Answer.YES
    assert [one.track for one in found.evidence] == [CPU, WAIT, "host.idle_cores"]
    # With idle cores it could have had them.
    assert ask("engine_cpu", *starved, track("host.idle_cores", 0.8, 2.0)).answer is Answer.NO


def test_busy_thread_that_waits_for_its_core() -> None:
    """Most of a core used and the rest of it waited for: 80 % of what one thread can have."""
    busy = (track(CPU, 0.65), track(BUSIEST, 0.65, 1.0), track("host.idle_cores", 0.01, 2.0))
    assert ask("engine_cpu", *busy, track(WAIT, 0.2)).answer is Answer.YES
    assert ask("engine_cpu", *busy, track(WAIT, 0.1)).answer is Answer.NO


def test_engine_that_fills_the_host_itself() -> None:
    """Its workers share two cores with everything else, and no thread uses a whole one."""
    tracks = (track(CPU, 1.4), track(WAIT, 0.6), track("host.idle_cores", 0.01, 2.0))
    assert ask("engine_cpu", *tracks, track(BUSIEST, 0.7, 1.0)).answer is Answer.YES


@pytest.mark.parametrize("slow", [(), SLOW])
def test_healthy_engine_on_a_busy_host(slow: tuple[int, ...]) -> None:
    """No core idle, and an engine that waits a little at each wake-up: not the cause."""
    tracks = (track(CPU, 0.35), track(WAIT, 0.3), track("host.idle_cores", 0.0, 2.0))
    found = diagnosed(facts(*changed(*tracks), slow=slow), on_demand=True)
    assert answer(found, "engine_cpu").answer is Answer.NO


def test_redis_filled_by_its_streams() -> None:
    """Entries times their size are most of the memory: maxlen is too large, and by how much."""

    def entries(second: int) -> float:
        return 1e5 * max(0, min(second, 35))

    def memory(other: float) -> TimeSeries:
        return track(MEMORY, lambda s: other + 1_100 * entries(s), 4 * GIB, "maxmemory")

    streams = (track(STREAM, entries, 5e6), track(REFUSED, 3.0))
    # 2.9 GB until second 25, below 80 % of 4 GiB
    assert ask("redis_memory", memory(3e8), *streams).answer is Answer.NO
    found = ask("redis_memory", memory(1e9), *streams)
    assert found.answer is Answer.YES
    assert {MEMORY, STREAM, REFUSED} <= values(found).keys()
    assert "1.07 KiB" in found.message
    assert "redis_stream_maxlen is too large" in found.advice


def test_redis_filled_by_other_keys() -> None:
    """Streams that hold a tenth of the memory are not to be shortened."""
    memory = track(MEMORY, lambda s: 3.6 * GIB + 100 * s * 1e3, 4 * GIB, "maxmemory")
    found = ask("redis_memory", memory, track(STREAM, lambda s: 1e3 * (s + 3), 1e5))
    assert found.answer is Answer.YES
    assert "redis_stream_maxlen does not fill" in found.advice


def test_redis_without_a_limit_is_compared_with_the_specified_one() -> None:
    """An absent limit is no unknown answer."""
    found = ask("redis_memory", track(MEMORY, 3.5 * GIB))
    assert found.answer is Answer.YES
    assert found.evidence[0].limit == pytest.approx(0.8 * 4 * GIB)


def wait(at_s: float, waited_ms: float, state: str = "idle in transaction") -> LockWait:
    """A session that waits for a nonce."""
    statement = "SELECT nonce FROM nonce_locks WHERE address = $1 FOR UPDATE"
    return LockWait(at_s, "nonce_locks", statement, True, waited_ms, ((state, statement),))


def locked(share: float, longest_ms: float) -> tuple[TimeSeries, ...]:
    """Series of waits for the nonce table in slow seconds."""
    return (
        track("postgres.nonce_waiters_count", in_slow(1.0, 0.0)),
        track(SHARE, in_slow(share, 0.0), 1.0),
        track(LONGEST, in_slow(longest_ms, 0.0)),
    )


def test_nonce_lock_with_a_waiter() -> None:
    """Yes, with the holder's statement and state; the advice depends on the state."""
    tracks = changed(*locked(0.9, 20.0))
    found = diagnosed(facts(*tracks, waits=[wait(17.0, 18.0), wait(20.0, 24.0)]))
    locks = answer(found, "nonce_locks")
    assert locks.answer is Answer.YES
    assert found.headline == locks.message
    assert "idle in transaction after `SELECT nonce" in locks.message
    assert "24 ms" in locks.message
    active = diagnosed(facts(*tracks, waits=[wait(17.0, 18.0, "active")]))
    assert answer(active, "nonce_locks").advice != locks.advice


def test_nonce_lock_waits_that_are_not_significant() -> None:
    """Occasional short ones are normal; where no signal is slow, none matters."""
    assert ask("nonce_locks", *locked(0.3, 4.0)).answer is Answer.NO
    assert ask("nonce_locks", *locked(0.3, 80.0)).answer is Answer.YES
    always = (
        track("postgres.nonce_waiters_count", 1.0),
        track(SHARE, 0.9, 1.0),
        track(LONGEST, 80.0),
    )
    assert ask("nonce_locks", *always).answer is Answer.YES
    fast = facts(*changed(*always), slow=())
    assert answer(diagnosed(fast, on_demand=True), "nonce_locks").answer is Answer.NO


def test_hot_address_is_named_with_the_lock() -> None:
    """An address with most of the signals makes the lock the bottleneck."""
    tracks = changed(*locked(0.9, 20.0))
    found = diagnosed(facts(*tracks, used={7: 2_900, 1: 100}))
    assert "97 %" in answer(found, "nonce_locks").message
    assert found.remarks == ()


def test_slow_statements_without_waits_are_no_lock() -> None:
    """They are reported as evidence of a no."""
    slow = track("postgres.statement_ms.commit", in_slow(90, 2))
    found = ask("nonce_locks", slow)
    assert found.answer is Answer.NO
    assert slow.name in values(found)


def test_slow_rpc_node() -> None:
    """Above the specified 100 ms, with a fast one for comparison."""
    found = ask(
        "rpc",
        track("rpc.primary.mean_ms", in_slow(180, 12), 100.0),
        track("rpc.second.mean_ms", 9.0, 100.0),
        track("rpc.second.requests_per_s", 2.0),
    )
    assert found.answer is Answer.YES
    assert found.advice
    assert values(found).keys() == {"rpc.primary.mean_ms"}
    assert found.message.endswith("second answered in 9 ms")


def test_rpc_node_much_slower_than_another() -> None:
    """Within 100 ms, and five times as slow as the other one."""
    other = (track("rpc.second.mean_ms", 9.0), track("rpc.second.requests_per_s", 2.0))
    assert ask("rpc", track("rpc.primary.mean_ms", 55.0), *other).answer is Answer.YES
    assert ask("rpc", track("rpc.primary.mean_ms", 40.0), *other).answer is Answer.NO
    near = (track("rpc.second.mean_ms", 25.0), track("rpc.second.requests_per_s", 2.0))
    assert ask("rpc", track("rpc.primary.mean_ms", 55.0), *near).answer is Answer.NO


def test_rpc_node_that_gives_no_answer() -> None:
    """Failures count, also where the answers were fast."""
    failures = track("rpc.primary.failures_per_s", in_slow(5.0, 0.0))
    found = ask("rpc", failures)
    assert found.answer is Answer.YES
    assert failures.name in values(found)


def test_rpc_node_without_requests() -> None:
    """Its earlier timeouts do not matter then."""
    idle = (track("rpc.primary.requests_per_s", 0.0), track("rpc.primary.mean_ms", 500.0))
    found = ask("rpc", *idle)
    assert (found.answer, found.evidence) == (Answer.NO, ())


def test_missing_telemetry_is_unknown() -> None:
    """Without telemetry every answer is; a series that ends too early is missing too."""
    none = diagnosed(facts(present=False))
    assert set(answers(none)) == {Answer.UNKNOWN}
    assert [remark.key for remark in none.remarks] == ["telemetry"]
    assert none.headline is None
    cut = TimeSeries(CPU, (1.0, 2.0, 3.0), (3.9, 3.9, 3.9), 4.0, "cgroup")
    assert ask("engine_cpu", cut).answer is Answer.UNKNOWN


def test_two_causes_come_in_order() -> None:
    """The headline is the first yes of the specified order, whichever is worse."""
    found = diagnosed(
        facts(
            *changed(
                *locked(0.95, 400.0),
                track(CPU, 3.6, 4.0, "cgroup"),
                track("rpc.primary.mean_ms", 900.0),
            )
        )
    )
    yes = [question.key for question in found.questions if question.answer is Answer.YES]
    assert yes == ["engine_cpu", "nonce_locks", "rpc"]
    assert found.headline == found.questions[0].message


def host(busy: float, idle: float, foreign: float, system: float) -> tuple[TimeSeries, ...]:
    """Two cores in slow seconds, and mostly idle ones in the others."""
    return (
        track("host.busy_cores", in_slow(busy, 0.5), 2.0),
        track("host.idle_cores", in_slow(idle, 1.5), 2.0),
        track("host.iowait_cores", 0.0, 2.0),
        track("host.foreign_cores", in_slow(foreign, 0.0)),
        track("host.system_cores", in_slow(system, 0.4)),
        track("host.harness_cores", 0.1),
        track("foreign.cc1.cpu_cores", in_slow(foreign, 0.0)),
    )


def test_host_that_other_programs_load_comes_first() -> None:
    """Whatever else is answered with yes: the system lacked what they used."""
    own = track(CPU, 3.6, 4.0, "cgroup")
    found = diagnosed(facts(*changed(own, *host(2.0, 0.0, 1.6, 0.3))))
    assert [question.key for question in found.questions][:2] == ["host", "engine_cpu"]
    assert found.headline == found.questions[0].message
    assert "cc1" in found.headline
    assert "1.60 of the host's 2 cores" in found.headline


def test_host_that_the_system_fills_comes_last() -> None:
    """Without other programs: yes, with the users of the cores."""
    found = diagnosed(facts(*changed(*host(1.98, 0.02, 0.05, 1.5))))
    last = answer(found, "host")
    assert found.questions[0].key == "engine_cpu"
    assert found.headline == last.message
    assert values(last)["host.system_cores"] == pytest.approx(1.49, abs=0.01)
    assert values(last)["host.harness_cores"] == pytest.approx(0.1)
    foreign = diagnosed(facts(*changed(*host(2.0, 0.0, 1.6, 0.3))))
    assert last.advice != foreign.questions[0].advice


def test_host_load_while_no_service_waits_is_no_cause() -> None:
    """The signals are slow for another reason."""
    own = track(WAIT, 0.05)
    found = diagnosed(facts(*changed(own, track(CPU, 0.1), *host(2.0, 0.0, 1.8, 0.1))))
    assert Answer.YES not in answers(found)


def test_host_whose_storage_other_programs_load() -> None:
    """Three tasks in fsync all the time, and one of the system's."""
    storage = (
        track("host.pressure_io_share", in_slow(0.9, 0.01), 1.0),
        track("host.foreign_blocked_count", in_slow(2.8, 0.0)),
        track("host.system_blocked_count", in_slow(0.9, 0.0)),
        track("host.harness_blocked_count", 0.0),
        track("foreign.dd.blocked_count", in_slow(2.8, 0.0)),
        track("disk.vda.busy_share", in_slow(0.97, 0.1), 1.0),
        track("disk.vda.flush_ms", in_slow(240.0, 1.0)),
    )
    found = diagnosed(facts(*changed(*host(0.5, 1.5, 0.0, 0.4), *storage))).questions[0]
    assert (found.key, found.answer) == ("host", Answer.YES)
    assert "dd" in found.message
    assert values(found)["disk.vda.flush_ms"] == pytest.approx(240.0, rel=0.2)
