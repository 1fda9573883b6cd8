"""Amounts and stamps: what is compared, what is granted, and what is left unjudged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.assessment.assess import assess
from harness.evidence.manifest import write_manifest
from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import healthy, load_of
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean

NEW = ("final-bookings.bin", "final-stamps.bin")


def test_a_run_of_before_is_not_judged_and_says_so(tmp_path: Path) -> None:
    """Its folder has neither amounts nor stamps; one that should have them is not complete."""
    world = healthy()
    kept = world.run["kept"]
    for reported, expected in ((True, {"evidence_complete": Verdict.INVALID}), (False, {})):
        world.run["kept"] = [name for name in kept if reported or name not in NEW]
        folder = world.write(tmp_path)
        for name in NEW:
            (folder.path / name).unlink()
        write_manifest(folder)
        found = assess(folder)
        assert unclean(found) == expected
        for name in ("ledger_amounts", "row_timestamps"):
            check = next(one for one in found.judgement.checks if one.id == name)
            assert check.figures == {"reason": "not_recorded"}


@pytest.mark.parametrize("seconds", [-0.9, 0.9])
def test_clocks_need_not_agree_to_the_second(seconds: float, tmp_path: Path) -> None:
    """What an ordinary host's clock is off by is granted."""
    world = healthy()
    violations.stamp_off(seconds)(world)
    assert unclean(assessed(world, tmp_path)) == {}


def test_a_stamp_of_the_transactions_begin_is_right(tmp_path: Path) -> None:
    """`now()` tells when the transaction began, which may have waited long for its lock."""
    slow = healthy(None, "p99 < 60 s", delays=lambda count: np.full(count, 4 * 10**9))
    violations.stamp_off(-3.5)(slow)
    assert unclean(assessed(slow, tmp_path)) == {}


def test_amounts_follow_from_each_agents_own_draws(tmp_path: Path) -> None:
    """Amounts of two signals that changed places are both wrong, whoever they belong to."""
    world = healthy(load_of(agents=7, rate=210.0, processes=2))
    assert world.bookings is not None
    amounts = world.bookings["trade_wei"]
    amounts[[10, 20]] = amounts[[20, 10]]
    found = assessed(world, tmp_path)
    assert unclean(found) == {"ledger_amounts": Verdict.FAIL}
    check = next(c for c in found.judgement.checks if c.id == "ledger_amounts")
    assert len(check.examples) == check.figures["differing"] == 2
