"""Each of the questions, by runs put together by hand."""

from __future__ import annotations

import pytest

from harness.analysis.resources.telemetry import LockWait, TimeSeries
from harness.diagnosis.answers import Answer
from harness.diagnosis.diagnose import diagnose
from tests.unit.diagnosis.diagnosis_cases import (
    GIB,
    SLOW,
    answer,
    asked,
    changed,
    facts,
    in_slow,
    quiet,
    track,
)

CPU, BUSIEST = "service.engine.cpu_cores", "service.engine.cpu_busiest_cores"
WAIT, THROTTLED = "service.engine.cpu_wait_cores", "service.engine.throttled_share"
STREAM = "redis.stream.dev:stream:agent:proposals.length_count"


def said(key: str, *tracks: TimeSeries) -> tuple[Answer, str, str]:
    """Answer, sentence and advice to one question in a run with slow seconds."""
    found = answer(asked(facts(*changed(*tracks))), key)
    return found.answer, found.message, found.advice


def test_nobody_asks_while_promises_are_kept_with_ease() -> None:
    """P99 of 20 ms against 500 ms needs no diagnosis; 400 ms does; asked for it is made."""
    easy = facts(*quiet(), slow=())
    assert diagnose(easy) is None
    assert asked(easy, on_demand=True).because == "on demand"
    near = asked(facts(*quiet(), slow=(), p99_ms=400))
    assert near.because == "p99 < 500 ms: 400 ms is 80 % of the limit"
    assert diagnose(facts(*quiet(), slow=(), p99_ms=399)) is None


def test_quiet_run_has_no_cause() -> None:
    """Five times no, with the figures, whether signals were slow or not."""
    for found in (
        asked(facts(*quiet())),
        asked(facts(*quiet(), slow=()), on_demand=True),
    ):
        assert [question.answer for question in found.questions] == [Answer.NO] * 5
        assert found.headline is None
        assert found.remarks == ()
        assert all(question.evidence for question in found.questions)


def test_engine_above_its_quota() -> None:
    """In the seconds that are slow, and it goes with the latency."""
    found = answer(
        asked(facts(*changed(track(CPU, in_slow(3.7, 1.0), 4.0, "cgroup")))), "engine_cpu"
    )
    assert found.answer is Answer.YES
    assert "3.70 cores" in found.message
    assert "of the 4 of its quota" in found.message
    assert "quota" in found.advice
    evidence = found.evidence[0]
    assert evidence.value >= (evidence.limit or 0) == pytest.approx(3.2)
    assert (evidence.correlation or 0) > 0.7
    assert evidence.start_s >= 15


def test_busy_warm_up_is_no_cause() -> None:
    """Nor is one busy second after a stall: what counts is most of the slow time."""
    warm_up = track(CPU, lambda second: 3.9 if second <= 5 else 1.0, 4.0, "cgroup")
    assert said("engine_cpu", warm_up)[0] is Answer.NO
    after = track(CPU, lambda second: 3.9 if second in (24, 25) else 0.0, 4.0, "cgroup")
    assert said("engine_cpu", after)[0] is Answer.NO


def test_engine_below_its_quota_that_works_in_bursts() -> None:
    """Half of the periods used up: yes, and the sentence tells it from a full quota."""
    found, words, advice = said(
        "engine_cpu", track(CPU, in_slow(2.0, 1.0), 4.0), track(THROTTLED, in_slow(0.5, 0.0))
    )
    assert found is Answer.YES
    assert "bursts" in words
    assert "80 %" in advice


def test_engine_with_one_busy_thread() -> None:
    """More quota would not help one thread, and the advice says so."""
    found, words, advice = said(
        "engine_cpu", track(CPU, 1.2, 4.0, "cgroup"), track(BUSIEST, in_slow(0.98, 0.4), 1.0)
    )
    assert found is Answer.YES
    assert "thread" in words
    assert "would not help" in advice


def test_engine_on_a_host_without_a_core_for_it() -> None:
    """Without a quota: ready to run most of the time while no core was idle."""
    starved = (track(CPU, in_slow(0.5, 0.3)), track(WAIT, in_slow(1.2, 0.1)))
    found, words, advice = said("engine_cpu", *starved, track("host.idle_cores", 0.02, 2.0))
    assert found is Answer.YES
    assert "no quota is in force" in words
    assert "too few cores" in words
    assert "larger quota alone" in advice
    # With cores left idle it could have had them.
    assert said("engine_cpu", *starved, track("host.idle_cores", 0.8, 2.0))[0] is Answer.NO


def test_busy_thread_that_waits_for_its_core() -> None:
    """Most of a core used and the rest of it waited for: 80 % of what one thread can have."""
    busy = (track(CPU, 0.65), track(BUSIEST, 0.65, 1.0), track("host.idle_cores", 0.01, 2.0))
    assert said("engine_cpu", *busy, track(WAIT, 0.2))[0] is Answer.YES
    assert said("engine_cpu", *busy, track(WAIT, 0.1))[0] is Answer.NO


def test_engine_that_fills_the_host_itself() -> None:
    """Its workers share two cores with everything else, and no thread reaches a whole one."""
    tracks = (track(CPU, 1.4), track(WAIT, 0.6), track("host.idle_cores", 0.01, 2.0))
    assert said("engine_cpu", *tracks, track(BUSIEST, 0.7, 1.0))[0] is Answer.YES


@pytest.mark.parametrize("slow", [(), SLOW])
def test_healthy_engine_on_a_busy_host(slow: tuple[int, ...]) -> None:
    """No core idle, and an engine that waits a little at each wake-up: not what is wrong."""
    tracks = (track(CPU, 0.35), track(WAIT, 0.3), track("host.idle_cores", 0.0, 2.0))
    found = asked(facts(*changed(*tracks), slow=slow), on_demand=True)
    assert answer(found, "engine_cpu").answer is Answer.NO


def test_redis_filled_by_its_streams() -> None:
    """Entries times their size are most of the memory: maxlen is too large, and by how much."""

    def entries(second: int) -> float:
        return 1e5 * max(0, min(second, 35))

    memory = track("redis.memory_bytes", lambda s: 3e8 + 1_100 * entries(s), 4 * GIB, "maxmemory")
    found, words, advice = said(
        "redis_memory", memory, track(STREAM, entries, 5e6), track("redis.refused_per_s", 3.0)
    )
    assert found is Answer.NO  # 2.9 GB until second 25, below 80 % of 4 GiB
    near = track("redis.memory_bytes", lambda s: 1e9 + 1_100 * entries(s), 4 * GIB, "maxmemory")
    found, words, advice = said(
        "redis_memory", near, track(STREAM, entries, 5e6), track("redis.refused_per_s", 3.0)
    )
    assert found is Answer.YES
    assert "maxlen 5,000,000" in words
    assert "1.07 KiB an entry" in words
    assert "refused up to 3 commands" in words
    assert "too large for this memory" in advice


def test_redis_filled_by_something_else() -> None:
    """Streams that hold a tenth of the memory are not to be shortened."""
    memory = track("redis.memory_bytes", lambda s: 3.6 * GIB + 100 * s * 1e3, 4 * GIB, "maxmemory")
    found, _, advice = said("redis_memory", memory, track(STREAM, lambda s: 1e3 * (s + 3), 1e5))
    assert found is Answer.YES
    assert "is not what fills it" in advice


def test_redis_without_a_limit_is_held_against_what_is_specified() -> None:
    """No limit is no reason to know nothing."""
    found, words, _ = said("redis_memory", track("redis.memory_bytes", 3.5 * GIB))
    assert found is Answer.YES
    assert "no limit is in force" in words


def wait(at_s: float, waited_ms: float, state: str = "idle in transaction") -> LockWait:
    """A session that waits for a nonce."""
    statement = "SELECT nonce FROM nonce_locks WHERE address = $1 FOR UPDATE"
    return LockWait(at_s, "nonce_locks", statement, True, waited_ms, ((state, statement),))


def locked(share: float, longest_ms: float) -> tuple[TimeSeries, ...]:
    """Tracks of waits for the nonce table in slow seconds."""
    return (
        track("postgres.nonce_waiters_count", in_slow(1.0, 0.0)),
        track("postgres.nonce_waiting_share", in_slow(share, 0.0), 1.0),
        track("postgres.nonce_wait_ms", in_slow(longest_ms, 0.0)),
    )


def test_nonce_lock_that_is_waited_for() -> None:
    """Who holds it, and what they do meanwhile, is told; the advice is about that."""
    tracks = changed(*locked(0.9, 20.0))
    found = asked(facts(*tracks, waits=[wait(17.0, 18.0), wait(20.0, 24.0)]))
    locks = answer(found, "nonce_locks")
    assert locks.answer is Answer.YES
    assert found.headline == locks.message
    assert "idle in transaction after `SELECT nonce" in locks.message
    assert "24 ms" in locks.message
    assert "left its transaction open" in locks.advice
    assert "index" in locks.advice


def test_nonce_lock_waits_that_do_not_weigh() -> None:
    """Short ones now and then are ordinary; where nothing is slow, none matters."""
    assert said("nonce_locks", *locked(0.3, 4.0))[0] is Answer.NO
    assert said("nonce_locks", *locked(0.3, 80.0))[0] is Answer.YES
    always = (
        track("postgres.nonce_waiters_count", 1.0),
        track("postgres.nonce_waiting_share", 0.9, 1.0),
        track("postgres.nonce_wait_ms", 80.0),
    )
    assert said("nonce_locks", *always)[0] is Answer.YES
    calm = facts(*changed(*always), slow=())
    assert answer(asked(calm, on_demand=True), "nonce_locks").answer is Answer.NO


def test_hot_address_is_named_with_the_lock() -> None:
    """An address that takes most signals makes the lock the bottleneck."""
    tracks = changed(*locked(0.9, 20.0))
    found = asked(facts(*tracks, used={7: 2_900, 1: 100}))
    assert "one signing address takes 97 % of the signals" in answer(found, "nonce_locks").message
    assert found.remarks == ()


def test_slow_statements_without_waits_are_no_lock() -> None:
    """They are told all the same."""
    found, words, _ = said("nonce_locks", track("postgres.statement_ms.commit", in_slow(90, 2)))
    assert found is Answer.NO
    assert "statements of kind commit took" in words


def test_slow_rpc_node() -> None:
    """Over the specified 100 ms, beside a quick one."""
    found, words, advice = said(
        "rpc",
        track("rpc.primary.mean_ms", in_slow(180, 12), 100.0),
        track("rpc.second.mean_ms", 9.0, 100.0),
        track("rpc.second.requests_per_s", 2.0),
    )
    assert found is Answer.YES
    assert words.endswith("second answered in 9 ms")
    assert "primary took 1" in words
    assert "Switch" in advice


def test_rpc_node_much_slower_than_another() -> None:
    """Within 100 ms, and five times as slow as the other one."""
    other = (track("rpc.second.mean_ms", 9.0), track("rpc.second.requests_per_s", 2.0))
    assert said("rpc", track("rpc.primary.mean_ms", 55.0), *other)[0] is Answer.YES
    assert said("rpc", track("rpc.primary.mean_ms", 40.0), *other)[0] is Answer.NO
    near = (track("rpc.second.mean_ms", 25.0), track("rpc.second.requests_per_s", 2.0))
    assert said("rpc", track("rpc.primary.mean_ms", 55.0), *near)[0] is Answer.NO


def test_rpc_node_that_gives_no_answer() -> None:
    """Failures count, also where those that came were quick."""
    found, words, _ = said("rpc", track("rpc.primary.failures_per_s", in_slow(5.0, 0.0)))
    assert found is Answer.YES
    assert "gave no answer to" in words


def test_rpc_node_that_nobody_asked() -> None:
    """Its time-outs from before do not matter then."""
    idle = (track("rpc.primary.requests_per_s", 0.0), track("rpc.primary.mean_ms", 500.0))
    assert said("rpc", *idle)[:2] == (
        Answer.NO,
        "In the 10 s with slow signals nobody asked an RPC node",
    )


def test_what_was_not_read_is_unknown() -> None:
    """Without telemetry every answer says so; a track that ends too early is not read either."""
    none = asked(facts(present=False))
    assert {question.answer for question in none.questions} == {Answer.UNKNOWN}
    assert all("no telemetry" in question.message for question in none.questions)
    assert [remark.key for remark in none.remarks] == ["telemetry"]
    assert none.headline is None
    cut = TimeSeries(CPU, (1.0, 2.0, 3.0), (3.9, 3.9, 3.9), 4.0, "cgroup")
    assert said("engine_cpu", cut)[0] is Answer.UNKNOWN


def test_two_causes_are_told_in_order() -> None:
    """The headline is the first yes of the specified order, whatever is worse."""
    found = asked(
        facts(
            *changed(
                *locked(0.95, 400.0),
                track(CPU, 3.6, 4.0, "cgroup"),
                track("rpc.primary.mean_ms", 900.0),
            )
        )
    )
    answers = [question.answer for question in found.questions]
    assert answers == [Answer.YES, Answer.NO, Answer.YES, Answer.YES, Answer.NO]
    assert found.headline == found.questions[0].message


def host(busy: float, idle: float, foreign: float, system: float) -> tuple[TimeSeries, ...]:
    """Two cores in slow seconds, and quiet ones in the others."""
    return (
        track("host.busy_cores", in_slow(busy, 0.5), 2.0),
        track("host.idle_cores", in_slow(idle, 1.5), 2.0),
        track("host.iowait_cores", 0.0, 2.0),
        track("host.foreign_cores", in_slow(foreign, 0.0)),
        track("host.system_cores", in_slow(system, 0.4)),
        track("host.harness_cores", 0.1),
        track("foreign.cc1.cpu_cores", in_slow(foreign, 0.0)),
    )


def test_host_that_others_keep_busy_comes_first() -> None:
    """Whatever else is answered with yes: what they took, the system lacked."""
    own = track(CPU, 3.6, 4.0, "cgroup")
    found = asked(facts(*changed(own, *host(2.0, 0.0, 1.6, 0.3))))
    assert [question.key for question in found.questions][:2] == ["host", "engine_cpu"]
    assert found.headline == found.questions[0].message
    assert "other programs (cc1) used 1.60 of the host's 2 cores" in found.questions[0].message
    assert "not the system" in found.questions[0].advice


def test_host_that_the_system_fills_comes_last() -> None:
    """Nobody else is there: yes, who has the cores, and no word of others."""
    found = asked(facts(*changed(*host(1.98, 0.02, 0.05, 1.5))))
    assert found.headline == found.questions[-1].message
    assert "no core of the host was left" in found.headline
    assert "the system's services used 1.49 cores; the harness used 0.10 cores" in found.headline
    assert "larger host" in found.questions[-1].advice


def test_host_that_others_have_while_nobody_waits_is_no_cause() -> None:
    """What makes signals slow there is the system's own."""
    own = track("service.engine.cpu_wait_cores", 0.05)
    found = asked(facts(*changed(own, track(CPU, 0.1), *host(2.0, 0.0, 1.8, 0.1))))
    assert [question.answer for question in found.questions] == [Answer.NO] * 5


def test_host_whose_storage_others_keep_busy() -> None:
    """Three tasks in fsync all the time, one of the system's beside them."""
    storage = (
        track("host.pressure_io_share", in_slow(0.9, 0.01), 1.0),
        track("host.foreign_blocked_count", in_slow(2.8, 0.0)),
        track("host.system_blocked_count", in_slow(0.9, 0.0)),
        track("host.harness_blocked_count", 0.0),
        track("foreign.dd.blocked_count", in_slow(2.8, 0.0)),
        track("disk.vda.busy_share", in_slow(0.97, 0.1), 1.0),
        track("disk.vda.flush_ms", in_slow(240.0, 1.0)),
    )
    found = asked(facts(*changed(*host(0.5, 1.5, 0.0, 0.4), *storage))).questions[0]
    assert (found.key, found.answer) == ("host", Answer.YES)
    assert "other programs (dd) kept the host's storage busy" in found.message
    assert "a flush took 2" in " ".join(evidence.message for evidence in found.evidence)
