"""A swarm is started early enough, by what it has to do until its first signal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.scenario import Load
from harness.schedule.lead_time import LEAD_MAX_NS, lead_ns
from tests.unit.analysis.evidence import load_of


def load(processes: int = 1, agents: int = 50) -> Load:
    """A load of so many processes and agents."""
    return load_of(processes=processes, agents=agents)


def test_small_swarm_on_an_idle_host_waits_four_seconds() -> None:
    """As long as it ever did."""
    assert 4 * NS_PER_S <= lead_ns(load(), 2, 0.3) < 4.5 * NS_PER_S


def test_processes_that_share_cores_have_longer() -> None:
    """Sixteen interpreters start on two cores one after the other, on sixteen at once."""
    crowded, roomy = lead_ns(load(16), 2, 0.0), lead_ns(load(16), 16, 0.0)
    assert crowded > 14 * NS_PER_S
    assert roomy < 4.5 * NS_PER_S


@given(st.integers(1, 64), st.integers(1, 1_000), st.integers(1, 256), st.floats(0, 1_000))
def test_more_to_do_never_has_less_time(
    processes: int, agents: int, cores: int, queue: float
) -> None:
    """More agents, a longer queue or fewer cores never shorten it; it has an end."""
    found = lead_ns(load(processes, agents), cores, queue)
    assert found <= lead_ns(load(processes, agents + processes), cores, queue)
    assert found <= lead_ns(load(processes, agents), cores, queue + 1)
    assert found >= lead_ns(load(processes, agents), cores + 1, queue)
    assert 4 * NS_PER_S <= found <= LEAD_MAX_NS
