"""Counting ends, restarts and OOM kills from the engine's events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stack.compose_file import RestartSpec
from harness.stack.docker.engine_events import (
    EventCounters,
    exit_code,
    parse_event,
    restarts_again,
)
from harness.stack.docker.labels import SERVICE

S = 1_000_000_000
ALWAYS, THRICE, NEVER = RestartSpec("always"), RestartSpec("on-failure", 3), RestartSpec("no")


def event(action: str, at_s: float, **attributes: str) -> dict[str, Any]:
    """An event as the engine sends it."""
    return {
        "Type": "container",
        "Action": action,
        "timeNano": int(at_s * S),
        "Actor": {"Attributes": {"name": "c", SERVICE: "engine", **attributes}},
    }


def counters(policy: RestartSpec, *documents: dict[str, Any]) -> EventCounters:
    """The counters after these events of container `c`."""
    made = EventCounters()
    made.register("c", "engine", policy)
    for document in documents:
        parsed = parse_event(document, mono_offset_ns=0)
        assert parsed is not None
        made.record(parsed)
    return made


def test_a_killed_engine_is_counted() -> None:
    """An end by SIGKILL and the restart by policy after it."""
    made = counters(ALWAYS, event("start", 1), event("die", 5, exitCode="137"), event("start", 5.1))
    count = made.counts["c"]
    assert (count.restarts, count.running, made.alerts) == (1, True, [])
    assert [(end.code, end.uptime_ns, end.by_oom) for end in count.exits] == [(-9, 4 * S, False)]


def test_an_agent_out_of_memory_leaves_the_pool_after_three_restarts() -> None:
    """Four ends, three restarts, one alert."""
    documents = []
    for turn in range(4):
        documents += [
            event("start", turn),
            event("oom", turn + 0.5),
            event("die", turn + 0.6, exitCode="137"),
        ]
    made = counters(THRICE, *documents)
    count = made.counts["c"]
    assert (count.restarts, count.oom_kills, count.out_of_pool) == (3, 4, True)
    assert made.alerts == [
        "c is out of the pool: it ended (out of memory) after 3 restarts, "
        "and its policy allows no more"
    ]


def test_a_container_is_known_by_what_it_calls_itself() -> None:
    """Its consumer in a group is named after that."""
    document = event("start", 1)
    document["Actor"]["ID"] = "0123456789abcdef"
    assert (
        counters(ALWAYS, document, event("die", 2, exitCode="1")).counts["c"].host == "0123456789ab"
    )


def test_an_oom_kill_of_a_child_is_no_end() -> None:
    """The kernel may kill another process than the first one."""
    count = counters(ALWAYS, event("start", 1), event("oom", 2)).counts["c"]
    assert (count.oom_events, count.oom_kills, count.running) == (1, 0, True)


@pytest.mark.parametrize("last_words", [["kill", "die"], ["die"]], ids=["kill", "stop"])
def test_podman_tells_by_a_cleanup_that_nothing_starts_again(last_words: list[str]) -> None:
    """Recorded from 4.3: a kill has no signal, a stop is a `die` alone; neither is restarted."""
    actions = ["create", "start", "die", "restart", "start", *last_words, "cleanup"]
    made = counters(ALWAYS, *(event(action, at) for at, action in enumerate(actions)))
    count = made.counts["c"]
    assert (count.restarts, count.running, made.alerts) == (1, False, [])
    assert count.is_lost(60 * S, 5 * S)
    assert not counters(ALWAYS, *(event(a, 1) for a in actions[:-2])).counts["c"].is_lost(60 * S, S)


def test_podman_calls_a_removal_by_another_name() -> None:
    """A caller that waits for the end of a container waits for one action."""
    parsed = parse_event(event("remove", 1), mono_offset_ns=0)
    assert parsed is not None
    assert parsed.action == "destroy"


def test_an_end_that_was_asked_for_is_no_loss() -> None:
    """The gate closes: Anvil ends, and no anomaly is reported."""
    made = counters(NEVER, event("start", 1))
    made.stopping("c")
    for document in (event("kill", 2, signal="9"), event("die", 2.1, exitCode="137")):
        parsed = parse_event(document, mono_offset_ns=0)
        assert parsed is not None
        made.record(parsed)
    assert not made.counts["c"].is_lost(100 * S, 5 * S)
    assert made.alerts == []


def test_a_kill_by_hand_is_a_loss_after_a_while() -> None:
    """`docker kill` suspends the policy; but it may be the first half of `docker restart`."""
    made = counters(
        ALWAYS, event("start", 1), event("kill", 2, signal="9"), event("die", 2, exitCode="137")
    )
    count = made.counts["c"]
    assert not count.is_lost(4 * S, 5 * S)
    assert count.is_lost(8 * S, 5 * S)


def test_an_agent_ended_by_hand_has_not_used_up_its_retries() -> None:
    """No alert for what a person did on purpose."""
    made = counters(
        NEVER, event("start", 1), event("kill", 2, signal="15"), event("die", 2, exitCode="1")
    )
    assert made.alerts == []


def test_a_restart_by_hand_is_not_a_loss() -> None:
    """A start after an end by hand makes up for it."""
    made = counters(
        ALWAYS,
        event("start", 1),
        event("kill", 2, signal="15"),
        event("die", 2, exitCode="0"),
        event("start", 3),
    )
    assert not made.counts["c"].is_lost(100 * S, 5 * S)
    assert made.counts["c"].restarts == 1


def test_a_signal_that_ends_nothing_is_none_by_hand() -> None:
    """`docker kill -s HUP` leaves the policy in force."""
    made = counters(ALWAYS, event("start", 1), event("kill", 2, signal="1"))
    assert not made.counts["c"].by_hand


@pytest.mark.parametrize(
    ("text", "code"), [("0", 0), ("1", 1), ("137", -9), ("134", -6), ("255", 255), (None, None)]
)
def test_exit_codes(text: str | None, code: int | None) -> None:
    """An end by a signal is a negative number, as for processes."""
    assert exit_code(text) == code


@pytest.mark.parametrize(
    ("policy", "code", "restarts", "again"),
    [
        (ALWAYS, 0, 99, True),
        (NEVER, 1, 0, False),
        (THRICE, 1, 2, True),
        (THRICE, 1, 3, False),
        (THRICE, 0, 0, False),
        (RestartSpec("on-failure"), 1, 99, True),
    ],
)
def test_policies(policy: RestartSpec, code: int, restarts: int, again: bool) -> None:
    """When the engine starts a container again."""
    assert restarts_again(policy, code, restarts) is again


@pytest.mark.parametrize("action", ["exec_start: ls", "health_status: healthy", "attach"])
def test_other_events_say_nothing(action: str) -> None:
    """Health checks would fill the log."""
    assert parse_event(event(action, 1), 0) is None


@given(st.integers(min_value=0, max_value=6), st.sampled_from([ALWAYS, THRICE, NEVER]))
def test_restarts_never_exceed_the_policy(failures: int, policy: RestartSpec) -> None:
    """However often it fails: counted restarts keep to the policy, an alert comes at most once."""
    made = counters(policy)
    count = made.counts["c"]
    for turn in range(failures):
        if turn and not restarts_again(policy, 1, count.restarts):
            break
        for document in (event("start", turn), event("die", turn + 0.5, exitCode="1")):
            parsed = parse_event(document, 0)
            assert parsed is not None
            made.record(parsed)
    limit = {"always": failures, "on-failure": 3, "no": 0}[policy.name]
    assert count.restarts <= limit
    assert len(made.alerts) <= 1
    assert bool(made.alerts) == count.out_of_pool
