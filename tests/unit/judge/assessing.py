"""Assessing a world in a test."""

from __future__ import annotations

from pathlib import Path

from harness.judge.assess import Assessment, assess
from harness.judge.verdict import Verdict
from tests.unit.measure.evidence import World


def assessed(world: World, reports: Path) -> Assessment:
    """Write the evidence and assess it."""
    return assess(world.write(reports))


def unclean(found: Assessment) -> dict[str, Verdict]:
    """Name and verdict of every check that is not clean."""
    return {
        check.name: check.verdict
        for check in found.judgement.checks
        if check.verdict is not Verdict.PASS
    }
