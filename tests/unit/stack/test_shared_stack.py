"""A stack that outlives a run is proven idle before the next one, or started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import StackError
from harness.stack.base import Endpoints, ServiceState, Stack
from harness.stack.shared import IdleProof, SharedStack
from harness.stack.startup import StartupSink
from tests.unit.fakes import FakeStack


class Probe:
    """Says what it is set to."""

    def __init__(self, *, is_idle: bool = True) -> None:
        self.proof = IdleProof(is_idle, 2.0, unread=0 if is_idle else 7)
        self.learned = 0
        self.tags: list[int | None] = []

    def learn(self, services: tuple[ServiceState, ...]) -> None:
        """Count."""
        del services
        self.learned += 1

    def prove(
        self, endpoints: Endpoints, services: tuple[ServiceState, ...], run_tag: int | None
    ) -> IdleProof:
        """The same each time."""
        del endpoints, services
        self.tags.append(run_tag)
        return self.proof


def shared_of(
    path: Path, probe: Probe, *, is_ours: bool = True, single_use: bool = False
) -> tuple[SharedStack, list[FakeStack]]:
    """A shared stack, and the stacks that it makes."""
    made: list[FakeStack] = []

    def make(logs: Path, on_event: StartupSink) -> Stack:
        del on_event
        assert logs == path / f"stack-{len(made) + 1}"
        made.append(FakeStack())
        return made[-1]

    return SharedStack(make, path, probe, is_ours=is_ours, single_use=single_use), made


def test_it_starts_once(tmp_path: Path) -> None:
    """A run's stop leaves it running, and close ends it."""
    probe = Probe()
    shared, made = shared_of(tmp_path, probe)
    first = shared.start()
    shared.run_tags.append(17)
    assert shared.describe()["shared"]["idle"] is None
    shared.stop()
    assert shared.start() == first
    assert shared.describe()["shared"]["idle"]["is_idle"] is True
    shared.stop()
    shared.close()
    shared.close()
    assert len(made) == 1
    assert [call for call in made[0].calls if call != "describe"] == ["start", "stop"]
    assert (probe.learned, probe.tags) == (1, [17])


def test_one_that_is_not_idle_is_started_again(tmp_path: Path) -> None:
    """The next run has a new one, and says why."""
    shared, made = shared_of(tmp_path, Probe(is_idle=False))
    shared.start()
    shared.run_tags.append(17)
    shared.start()
    assert len(made) == 2
    assert made[0].calls == ["start", "stop"]
    assert shared.run_tags == []
    facts = shared.describe()["shared"]
    assert facts["renewed_because"] == "not idle after 2 s: 7 entries unread"
    assert facts["started"] == 2


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("restarts", 1, "engine was restarted"), ("lost", "gone", "it was lost: gone")],
)
def test_one_that_changed_is_started_again(
    tmp_path: Path, name: str, value: object, why: str
) -> None:
    """Since its services are not those of the run before."""
    shared, made = shared_of(tmp_path, Probe())
    shared.start()
    setattr(made[0], name, value)
    shared.start()
    assert len(made) == 2
    assert shared.describe()["shared"]["renewed_because"] == why


def test_a_system_of_others_is_not_started_again(tmp_path: Path) -> None:
    """It is not the harness's to end."""
    shared, made = shared_of(tmp_path, Probe(is_idle=False), is_ours=False)
    shared.start()
    with pytest.raises(StackError, match="not ready for another run: not idle"):
        shared.start()
    assert made[0].calls == ["start"]


def test_a_stack_for_one_run_only(tmp_path: Path) -> None:
    """Ends with its run."""
    shared, made = shared_of(tmp_path, Probe(), single_use=True)
    for _ in range(2):
        shared.start()
        shared.stop()
    assert [one.calls for one in made] == [["start", "stop"]] * 2


def test_a_failed_start_leaves_nothing(tmp_path: Path) -> None:
    """Also when the probe fails."""
    probe = Probe()

    def failing(services: tuple[ServiceState, ...]) -> None:
        raise StackError("no figures", where="engine")

    probe.learn = failing  # type: ignore[method-assign]  # breaks on purpose
    shared, made = shared_of(tmp_path, probe)
    with pytest.raises(StackError, match="no figures"):
        shared.start()
    assert made[0].calls == ["start", "stop"]
