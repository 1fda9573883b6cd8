"""When an ended service comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_MS, NS_PER_S
from harness.stack.process.restart_policy import ALWAYS, NEVER, RestartPolicy


def test_waits_are_those_of_docker() -> None:
    """100 ms, doubled each time, and an end of it."""
    failures, waits = 0, []
    for _ in range(9):
        failures, wait_ns = ALWAYS.after_exit(failures, 0)
        waits.append(None if wait_ns is None else wait_ns // NS_PER_MS)
    assert waits == [100, 200, 400, 800, 1600, 3200, 6400, 12800, None]


def test_uptime_forgives() -> None:
    """Ten seconds of uptime bring back the first wait."""
    assert ALWAYS.after_exit(8, 10 * NS_PER_S) == (1, 100 * NS_PER_MS)
    assert ALWAYS.after_exit(8, 10 * NS_PER_S - 1) == (9, None)


def test_never_means_never() -> None:
    """A service without restarts is lost at its first end, however long it ran."""
    assert NEVER.after_exit(0, 3600 * NS_PER_S) == (1, None)


@given(
    retries=st.integers(0, 20),
    uptimes=st.lists(st.integers(0, 9_999_999_999), min_size=21, max_size=21),
)
def test_every_crash_loop_ends(retries: int, uptimes: list[int]) -> None:
    """Whoever never stays up for 10 s is let lie after the allowed retries, no sooner or later."""
    policy = RestartPolicy(retries_max=retries)
    failures, restarts = 0, 0
    for uptime_ns in uptimes:
        failures, wait_ns = policy.after_exit(failures, uptime_ns)
        if wait_ns is None:
            break
        restarts += 1
    assert restarts == retries
