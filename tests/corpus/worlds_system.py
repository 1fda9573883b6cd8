"""Runs that never were: what a system may do, and what objectives ask of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.names import Contract, State
from harness.scenario import Load, Stage
from tests.corpus.entries import Entry, of_world, tiny
from tests.unit.analysis.evidence import MS, Delays, World, healthy, in_order, load_of
from tests.unit.analysis.trace_keys import keys
from tests.unit.judge import violations

RATE = 20  # signals/s of a small world, after a second of warm-up


def slow(begin_s: float, end_s: float, ms: int = 700, every: int = 1, rate: int = RATE) -> Delays:
    """Some of the signals of a stretch of the measured load take so long."""

    def draw(count: int) -> NDArray[np.int64]:
        values = (np.random.default_rng(5).lognormal(2.3, 0.3, count) * MS).astype(np.int64)
        chosen = slice(round((begin_s + 1) * rate), round((end_s + 1) * rate), every)
        values[chosen] = ms * MS
        return values

    return draw


def at_the_limit(count: int) -> NDArray[np.int64]:
    """One signal in a hundred is slow."""
    return slow(0, 60, ms=900, every=100)(count)


def staged() -> Load:
    """A calm stage, a peak, and a calm one."""
    stages = [
        Stage(name=name, agents=4, rate_from=rate, rate_to=rate, duration_s=7.0)
        for name, rate in (("calm", 15.0), ("peak", 45.0), ("after", 15.0))
    ]
    return Load(stages=tuple(stages), warmup_s=1.0, drain_s=5.0)


def until_decided() -> Load:
    """A load that goes on as long as nothing is decided."""
    stage = Stage(agents=4, rate_from=30.0, rate_to=30.0, duration_s=10.0)
    return Load(stages=(stage,), warmup_s=1.0, drain_s=5.0, until_decided_s=20.0)


def reject_some(world: World) -> None:
    """The engine refuses one signal in twenty."""
    violations.reject(world, np.arange(len(world.attempts[0])) % 20 == 7, State.INVARIANT_BROKEN)


def lose_some(world: World) -> None:
    """The system forgets a dozen signals in a row."""
    for number in range(200, 212):
        violations.drop(world, number)


def send_last_late(world: World) -> None:
    """The last three signals go out just after the measured phase, each as late as its due."""
    attempts, acks = world.attempts[0], world.acks[0]
    late = attempts[-3:].copy()
    by_ns = int(attempts["intended_ns"].max() - late["intended_ns"].min()) + 100 * MS
    attempts["sent_ns"][-3:] += by_ns
    acks["acked_ns"][-3:] += by_ns
    own = np.isin(keys(world.sightings), keys(late))
    world.sightings["seen_ns"][own] += by_ns
    world.sightings["commit_us"][own] += by_ns // 1_000
    world.sightings = in_order(world.sightings, "seen_ns")


def attach(world: World) -> None:
    """The system ran already."""
    world.stack = {"kind": "attach", "name": "desk", "grade_reasons": []}


def without_ledger() -> World:
    """A system that keeps no books."""
    world = healthy()
    world.plan = world.plan.model_copy(update={"contract": Contract(ledger=None)})
    world.ledger = None
    return world


def go_beyond(world: World) -> None:
    """Zone C takes signals further than SIMULATED."""
    attach(world)
    for number in range(150, 160):
        violations.field(world.tasks, world, number, "state", State.BEYOND)


def ghosts(world: World) -> None:
    """Rows of no signal on servers that the harness started."""
    trace = "deadbeef-0000-4000-8000-000000000001"
    assert world.final is not None
    postgres: dict[str, Any] = world.final["postgres"]
    postgres["strangers"] = {"tasks": 2, "ledger": 6, "traces": [trace]}


def half_of_the_mode_is_slow(count: int) -> NDArray[np.int64]:
    """Every eighth signal takes 700 ms."""
    values = slow(0, 0)(count)
    values[::8] = 700 * MS
    return values


def _full() -> World:
    return healthy(
        load_of(agents=4, rate=80.0, duration_s=12.0),
        "lite p99 < 500 ms",
        "full p90 < 500 ms",
        "p50 < 680 ms",
        delays=half_of_the_mode_is_slow,
        full_every=8,
    )


LIMITED = (
    of_world("pass-plain", "a healthy run: every check is clean", healthy),
    of_world(
        "pass-every-metric",
        "an objective of each metric is met",
        lambda: healthy(
            None,
            *("p99 < 500 ms", "p90 < 1 s", "max < 1 s", "p50 of service < 100 ms"),
            *("p99 of lateness < 50 ms", "rejected < 1 %", "simulated >= 99 %", "rate >= 99 %"),
        ),
    ),
    of_world(
        "fail-p99",
        "P99 beyond its limit with confidence; the diagnosis knows nothing for want of telemetry",
        lambda: healthy(delays=slow(0, 30, every=3)),
    ),
    of_world(
        "fail-max",
        "one slow signal breaks a maximum",
        lambda: healthy(None, "max < 500 ms", delays=slow(5, 5.05)),
    ),
    of_world(
        "fail-window",
        "a short spike breaks its window and hides in the whole",
        lambda: healthy(
            None,
            *("p90 < 500 ms", "p90 over any 2 s < 500 ms"),
            delays=slow(9, 9.4),
        ),
    ),
    of_world(
        "fail-stage",
        "one stage misses its objective, the others meet theirs",
        lambda: healthy(
            staged(),
            *("stage calm p90 < 500 ms", "stage peak p90 < 500 ms", "stage 3 p50 < 1 s"),
            delays=lambda n: (
                np.where(np.arange(n) % 5 == 0, 700 * MS, 9 * MS).astype(np.int64)
                * (np.arange(n) > 120)
                + 5 * MS
            ),
        ),
    ),
    of_world(
        "fail-mode", "one mode misses what the other meets; both beside an objective of all", _full
    ),
    of_world(
        "fail-rejected",
        "more signals are refused than allowed",
        lambda: healthy(None, "p90 < 500 ms", "rejected < 1 %"),
        reject_some,
    ),
    of_world(
        "fail-simulated",
        "fewer signals are simulated than asked",
        lambda: healthy(None, "simulated >= 99 %", "rejected < 20 %"),
        reject_some,
        lose_some,
    ),
    of_world(
        "fail-rate",
        "the generator is on time, and still too few signals go out in their phase",
        lambda: healthy(None, "rate >= 100 %"),
        send_last_late,
    ),
    of_world(
        "fail-untold-rejections",
        "the engine refuses much and no objective is about it",
        healthy,
        reject_some,
    ),
    of_world(
        "inconclusive-few",
        "too few signals for a P99",
        lambda: healthy(load_of(agents=4, rate=20.0, duration_s=8.0)),
    ),
    of_world(
        "inconclusive-spans",
        "the interval of the P99 spans the limit",
        lambda: healthy(delays=at_the_limit),
    ),
    of_world(
        "interim-undecided",
        "a load that may go on, and stays undecided to its last analysis",
        lambda: healthy(until_decided(), delays=slow(0, 60, ms=900, every=100)),
    ),
    of_world(
        "pass-stale-on-purpose",
        "signals sent stale on purpose are refused, which is right",
        lambda: healthy(None, "p99 < 500 ms", "rejected < 20 %", stale_every=10),
    ),
    of_world(
        "pass-two-swarms",
        "a swarm of two processes",
        lambda: healthy(load_of(agents=4, rate=20.0, duration_s=20.0, processes=2)),
    ),
)

VIOLATED = (
    of_world(
        "fail-touched-twice",
        "SIMULATED twice with a rejection between",
        tiny,
        violations.simulate_twice,
    ),
    of_world(
        "pass-touched-again",
        "a row updated in the same state is no second effect",
        tiny,
        violations.touch_again,
    ),
    of_world(
        "fail-refused-and-processed",
        "Redis refused a signal that has effects",
        tiny,
        violations.refuse_and_process,
    ),
    of_world("fail-nonce-burned", "a nonce was assigned and not used", tiny, violations.burn_nonce),
    of_world(
        "fail-entry-gone",
        "Redis has fewer entries than it acknowledged",
        tiny,
        violations.lose_entry,
    ),
    of_world("fail-ghost-rows", "rows of nobody's signals on servers of our own", tiny, ghosts),
    of_world(
        "pass-beyond", "an attached system takes signals further than SIMULATED", tiny, go_beyond
    ),
    of_world(
        "pass-no-ledger", "a system without a ledger: those checks are not made", without_ledger
    ),
    of_world(
        "fail-many",
        "several rules broken at once: the order of reasons",
        tiny,
        violations.skip_nonce,
        violations.unbook,
        violations.lose,
        violations.leave_pending,
    ),
)

ENTRIES: tuple[Entry, ...] = (*LIMITED, *VIOLATED)
