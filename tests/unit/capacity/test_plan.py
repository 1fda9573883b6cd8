"""Options of a search, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.cli.capacity_plan import PlanOptions, make_plan, parse_axis
from harness.errors import UsageError
from harness.scenario.capacity_axis import CapacityAxis
from tests.unit.capacity.searches import base


def test_without_options() -> None:
    """The search begins at the load of the scenario."""
    stage = base().load.stages[0]
    rate = make_plan(base(), CapacityAxis.RATE, PlanOptions())
    assert (rate.start, rate.width, rate.headroom) == (stage.rate_from, 0.05, 0.7)
    assert (rate.confirmations, rate.confirmation_s) == (3, 60.0)
    agents = make_plan(base(), CapacityAxis.AGENTS, PlanOptions())
    assert (agents.start, agents.is_whole) == (stage.agents, True)
    share = make_plan(base(), CapacityAxis.HOT_SHARE, PlanOptions())
    assert (share.minimum, share.maximum, share.width_kind) == (0.0, 1.0, "absolute")


def test_with_options() -> None:
    """As they are written on a command line."""
    options = PlanOptions("400", "100", "1600", "10%", "80%", "2x5m", "10s-40s")
    plan = make_plan(base(), CapacityAxis.RATE, options)
    assert (plan.start, plan.minimum, plan.maximum) == (400, 100, 1600)
    assert (plan.width, plan.headroom) == (0.1, 0.8)
    assert (plan.confirmations, plan.confirmation_s) == (2, 300)
    assert (plan.trial_least_s, plan.trial_most_s) == (10, 40)
    share = make_plan(base(), CapacityAxis.FULL_SHARE, PlanOptions(start="20%", maximum="0.5"))
    assert (share.start, share.maximum) == (0.2, 0.5)


def test_the_start_moves_into_the_range() -> None:
    """Unless it was named itself."""
    plan = make_plan(base(), CapacityAxis.RATE, PlanOptions(minimum="1000"))
    assert plan.start == 1000
    with pytest.raises(UsageError, match="must lie between"):
        make_plan(base(), CapacityAxis.RATE, PlanOptions(start="10", minimum="1000"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimum": "500", "maximum": "100"}, "must lie between"),
        ({"minimum": "0"}, "must lie above 0"),
        ({"start": "many"}, "is no number"),
        ({"start": "nan"}, "is no number"),
        ({"width": "5 per cent"}, "is no share"),
        ({"width": "0%"}, "--width"),
        ({"confirm": "60s"}, "not NUMBERxLENGTH"),
        ({"confirm": "0x60s"}, "--confirm"),
        ({"trial": "60s-20s"}, "must not be longer"),
        ({"trial": "soon"}, "is no duration"),
    ],
)
def test_wrong_options(options: Mapping[str, str], message: str) -> None:
    """What, and where."""
    with pytest.raises(UsageError, match=message):
        make_plan(base(), CapacityAxis.RATE, PlanOptions(**options))


def test_a_wrong_axis_names_the_nearest() -> None:
    """And every other one."""
    with pytest.raises(UsageError, match=r"did you mean agents\? possible are rate, agents"):
        parse_axis("agent")
