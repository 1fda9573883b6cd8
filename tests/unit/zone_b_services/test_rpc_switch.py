"""Choosing the RPC node: laws of the state machine."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from zone_b.rpc_switch import Rules, Switch

S = 1_000_000_000
RULES = Rules(lag_max=2, probes_up=3, hold_ns=5 * S, hold_max_ns=60 * S)


@dataclass(frozen=True)
class Fail:
    """A call to a node that got no answer."""

    node: int


@dataclass(frozen=True)
class Probe:
    """A round of probes."""

    heads: tuple[int | None, ...]


COUNT = 3
heads = st.one_of(st.none(), st.integers(min_value=100, max_value=106))
events = st.one_of(
    st.builds(Fail, st.integers(min_value=0, max_value=COUNT - 1)),
    st.builds(Probe, st.tuples(heads, heads, heads)),
)
histories = st.lists(st.tuples(st.integers(min_value=0, max_value=4 * S), events), max_size=60)


def play(history: list[tuple[int, Fail | Probe]]) -> list[tuple[int, Fail | Probe, Switch]]:
    """The switch after each event, with the event's time in ns."""
    switch, now, states = Switch.of(COUNT, RULES), 0, []
    for pause, event in history:
        now += pause
        if isinstance(event, Fail):
            switch = switch.failed(event.node, now)
        else:
            switch = switch.probed(event.heads, now)
        states.append((now, event, switch))
    return states


@given(histories)
def test_the_first_usable_node_is_active(history: list[tuple[int, Fail | Probe]]) -> None:
    """Active is the most preferred node that is up, and it is asked first."""
    for _, _, switch in play(history):
        up = [index for index, node in enumerate(switch.nodes) if node.up]
        if up:
            assert switch.active == up[0] == switch.candidates()[0]
            assert sorted(switch.candidates()) == up


@given(histories)
def test_a_stale_node_is_never_asked(history: list[tuple[int, Fail | Probe]]) -> None:
    """Too far a lag behind the best head of the last probe: not even as a last resort."""
    for _, event, switch in play(history):
        if isinstance(event, Probe):
            known = [head for head in event.heads if head is not None]
            for index, head in enumerate(event.heads):
                if head is not None and max(known) - head > RULES.lag_max:
                    assert index not in switch.candidates()
        assert not [index for index in switch.candidates() if switch.nodes[index].stale]


@given(histories)
def test_a_node_rises_only_after_good_probes_and_its_hold(
    history: list[tuple[int, Fail | Probe]],
) -> None:
    """Hysteresis: a fall is followed by at least the hold time and three good probes in a row."""
    fell = [0] * COUNT
    good = [0] * COUNT
    was_up = [True] * COUNT
    for now, event, switch in play(history):
        for index, node in enumerate(switch.nodes):
            fresh = isinstance(event, Probe) and event.heads[index] is not None and not node.stale
            failed = event == Fail(index) or (isinstance(event, Probe) and not fresh)
            good[index] = 0 if failed else good[index] + fresh
            if was_up[index] and not node.up:
                fell[index] = now
            if node.up and not was_up[index]:
                assert now - fell[index] >= RULES.hold_ns
                assert good[index] >= RULES.probes_up
            was_up[index] = node.up


def test_hold_doubles_with_falls_in_quick_succession_and_is_forgotten() -> None:
    """5, 10, 20, 40 s and never above 60; after a minute up again 5 s."""
    switch, now, holds = Switch.of(2, RULES), 0, []
    for _ in range(6):
        switch = switch.failed(0, now)
        holds.append(switch.nodes[0].hold_ns // S)
        while not switch.nodes[0].up:
            now += S
            switch = switch.probed((7, 7), now)
    assert holds == [5, 10, 20, 40, 60, 60]
    switch = switch.failed(0, now + RULES.hold_max_ns)
    assert switch.nodes[0].hold_ns == RULES.hold_ns


def test_silent_nodes_are_tried_while_none_is_up() -> None:
    """An adapter with nothing better asks on; a stale node stays out."""
    switch = Switch.of(3, RULES).probed((10, 2, 10), S)
    assert switch.candidates() == (0, 2)
    switch = switch.failed(0, 2 * S).failed(2, 2 * S)
    assert not switch.usable
    assert switch.candidates() == (0, 2)
    switch = switch.probed((None, None, None), 3 * S)
    assert switch.candidates() == (0, 2)


def test_heads_of_one_moment_are_compared() -> None:
    """A chain that moved on by ten blocks between two probes makes no node stale."""
    switch = Switch.of(2, RULES).probed((10, 10), S).probed((20, 20), 2 * S)
    assert switch.candidates() == (0, 1)
