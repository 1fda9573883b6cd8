"""When a defect strikes: laws of rate, count and schedule, on a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from zone_b.defects.spec import When
from zone_b.defects.triggers import TimeOrigin, Trigger, share_of

NS_PER_MS = 1_000_000


@dataclass
class Scene:
    """A defect and the time."""

    when: When
    now_ms: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        self.origin = TimeOrigin(lambda: self.now_ms * NS_PER_MS)
        self.moments = Trigger("defect", self.when, self.origin, self.struck)

    def at(self, now_ms: int, key: str = "") -> bool:
        """Whether it strikes then; time goes on from the first signal, at 0."""
        self.origin.begin()
        self.now_ms = now_ms
        return self.moments.strikes(key)


def test_nothing_happens_before_the_first_signal() -> None:
    """Times count from the first signal, so an idle engine is a sound one."""
    scene = Scene(When(rate=1.0))
    assert not scene.moments.strikes("a")
    assert scene.moments.stretch_left_s() == 0
    assert scene.at(0, "a")


@given(st.floats(0, 1), st.integers(0, 5), st.text(max_size=40))
def test_rate_is_a_function_of_the_signal(rate: float, seed: int, key: str) -> None:
    """Two workers, or two deliveries, decide the same; a rate of 0 never strikes, 1 always."""
    when = When(rate=rate, seed=seed)
    first, second = Scene(when), Scene(when)
    second.at(0, "another")
    assert first.at(0, key) == second.at(5, key)
    assert Scene(When(rate=1.0)).at(0, key)
    assert not Scene(When(rate=0.0)).at(0, key)


def test_rate_is_kept() -> None:
    """Over many neighbouring names the share is the rate, within five standard deviations."""
    scene = Scene(When(rate=0.1))
    hits = sum(
        scene.at(0, f"0123456789ab-8{agent:03x}-8000-{index:012x}")
        for agent in range(100)
        for index in range(100)
    )
    assert abs(hits - 1000) < 150
    assert 0 <= share_of("") < 1


def test_seed_changes_which_signals_are_struck() -> None:
    """Another seed strikes others, as does another defect of one rate."""
    keys = [str(number) for number in range(1000)]
    one, two = Scene(When(rate=0.5)), Scene(When(rate=0.5, seed=1))
    assert [one.at(0, key) for key in keys] != [two.at(0, key) for key in keys]
    other = Trigger("other", When(rate=0.5), one.origin)
    assert [one.at(0, key) for key in keys] != [other.strikes(key) for key in keys]


@given(st.integers(1, 20), st.integers(0, 200))
def test_every_nth(every: int, opportunities: int) -> None:
    """Each Nth opportunity, neither the first nor any between."""
    scene = Scene(When(every=every))
    strikes = [scene.at(0) for _ in range(opportunities)]
    assert strikes == [number % every == 0 for number in range(1, opportunities + 1)]


def test_once_in_each_period() -> None:
    """With a period alone, it occurs at its first opportunity and at no other."""
    scene = Scene(When(after_s=1.0, every_s=2.0))
    found = [ms for ms in range(0, 8000, 500) if scene.at(ms)]
    assert found == [1000, 3000, 5000, 7000]


def test_all_through_a_stretch() -> None:
    """With a stretch, all its opportunities are, and it says how much of it is left."""
    scene = Scene(When(after_s=1.0, every_s=2.0, for_s=1.0))
    found = [ms for ms in range(0, 6000, 500) if scene.at(ms)]
    assert found == [1000, 1500, 3000, 3500, 5000, 5500]
    scene.now_ms = 3250
    assert scene.moments.stretch_left_s() == 0.75
    scene.now_ms = 4500
    assert scene.moments.stretch_left_s() == 0


def test_a_period_waits_for_a_chosen_signal() -> None:
    """An opportunity that the rate passes over does not use the period up."""
    scene = Scene(When(rate=0.5, every_s=10.0))
    keys = [str(number) for number in range(100)]
    assert sum(scene.at(1, key) for key in keys) == 1


def test_times_count_over_restarts() -> None:
    """What was struck in a former life counts."""
    scene = Scene(When(rate=1.0, times=3), struck=1)
    assert [scene.at(0) for _ in range(4)] == [True, True, False, False]
