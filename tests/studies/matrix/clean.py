"""Runs without a defect, each of which must raise no alarm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.studies.matrix.runs import ROOT, run
from tests.studies.matrix.table import Clean

_SMOKE = ROOT / "scenarios" / "smoke.toml"


@dataclass(frozen=True, slots=True)
class Load:
    """A load that the pipeline carries.

    Attributes:
        settings: as given to `--set`, on top of the smoke scenario.
    """

    name: str
    options: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


# 15 s at 100/s: enough signals for an answer about P99 on an idle host.
CLEAN = (
    Load("50 agents, 100/s"),
    Load("100 agents, 200/s", ("--agents", "100", "--rate", "200")),
    Load("one hot address", (), ("signals.addresses=hot",)),
    Load("a constant rate, one worker", (), ('load.arrival="constant"', "engine.workers=1")),
    Load("a tenth stale on purpose", (), ("signals.stale_share=0.1",)),
)


def run_clean(load: Load, seed: int, reports: Path) -> Clean:
    """One run of a load with a seed of its own."""
    outcome = run(
        reports / f"clean-{seed}",
        scenario=_SMOKE,
        settings=("load.warmup_s=2", *load.settings),
        options=("--duration", "15", "--seed", str(seed), *load.options),
    )
    return Clean(f"{load.name}, seed {seed}", outcome)
