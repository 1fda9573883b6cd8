"""A limit longer than the watching is not kept by signals that nobody waited for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import S, World, healthy
from tests.unit.judge.assessing import assessed, id_of, unclean
from tests.unit.judge.test_warmup import refuse


def refused(share: float, objective: str, *, last_s: float | None = None) -> World:
    """Redis refuses a share of the measured signals; or those of the last seconds only."""
    world = healthy(None, objective)
    attempts = world.attempts[0]
    measured = attempts["stage"] == 1
    chosen = measured & (np.arange(len(attempts)) * 37 % 100 < 100 * share)
    if last_s is not None:
        chosen = measured & (attempts["sent_ns"] > attempts["sent_ns"].max() - last_s * S)
    refuse(world, chosen)
    return world


@pytest.mark.parametrize("metric", ["", " of service"])
def test_percentile_beyond_the_watching_is_not_kept_by_what_never_came(
    metric: str, tmp_path: Path
) -> None:
    """A twentieth was refused; all of them had less than a minute, and nobody knows of more."""
    objective = f"p99{metric} < 60 s"
    found = assessed(refused(0.05, objective), tmp_path)
    assert unclean(found)[id_of(objective)] is Verdict.INCONCLUSIVE
    check = next(one for one in found.judgement.checks if one.id == id_of(objective))
    assert "rests on signals that never arrived" in check.message


def test_signals_refused_at_the_end_do_not_keep_a_short_limit(tmp_path: Path) -> None:
    """The watching ends soon after the last signal, whatever the drain time allows."""
    objective = "p90 < 4 s"
    found = unclean(assessed(refused(0, objective, last_s=2.5), tmp_path))
    assert found[id_of(objective)] is Verdict.INCONCLUSIVE
    windows = "p90 over any 10 s < 4 s"
    found = unclean(assessed(refused(0, windows, last_s=0.5), tmp_path))
    assert found[id_of(windows)] is Verdict.INCONCLUSIVE


def test_what_never_came_and_had_longer_than_the_limit_fails(tmp_path: Path) -> None:
    """As before: a refused signal is at least as slow as the time it had."""
    objective = "p99 < 500 ms"
    assert unclean(assessed(refused(0.05, objective), tmp_path))[id_of(objective)] is Verdict.FAIL


def test_few_that_never_came_do_not_unsettle_a_percentile(tmp_path: Path) -> None:
    """Were they as slow as can be, the median would be the same."""
    assert "latency_p50" not in unclean(assessed(refused(0.1, "p50 < 60 s"), tmp_path))
    assert "latency_p90" not in unclean(assessed(refused(0.01, "p90 < 60 s"), tmp_path))
