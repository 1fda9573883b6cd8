"""What cannot be run is refused before a folder is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.scale_run import begin_experiment
from harness.cli.stack_choice import StackChoice, StackKind
from harness.errors import UsageError
from harness.stack.settings import ROOT

PROCESS = StackChoice(StackKind.PROCESS, "offline", [], 0, {})
ATTACH = StackChoice(StackKind.ATTACH, "offline", [], 0, {})
SCENARIOS = ROOT / "scenarios"


@pytest.mark.parametrize(
    ("name", "choice", "settings", "message"),
    [
        ("scale-engine-cpu", PROCESS, (), "--stack docker"),
        ("scale-workers", ATTACH, (), "--stack process or --stack docker"),
        ("scale-workers", PROCESS, ("load.no_such_key=1",), "no_such_key"),
        ("scale-workers", PROCESS, ("engine.defects=['no_such_defect']",), "no_such_defect"),
        ("smoke", PROCESS, (), "harness run"),
    ],
)
def test_nothing_is_made(
    name: str, choice: StackChoice, settings: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    """Stack, settings and file are checked at every level first."""
    with pytest.raises(UsageError, match=message):
        begin_experiment(
            SCENARIOS / f"{name}.toml",
            seed=None,
            settings=settings,
            reports=tmp_path / "reports",
            choice=choice,
        )
    assert not (tmp_path / "reports").exists()


def test_a_wrong_search_is_refused(tmp_path: Path) -> None:
    """Its options are those of `harness capacity`."""
    file = tmp_path / "x.toml"
    file.write_text(
        '[experiment]\nname = "x"\nabout = "x"\nbase = "scenarios/capacity.toml"\n'
        'vary = "engine.workers"\nlevels = [1, 2, 3, 4, 5]\nmeasure = "capacity"\n'
        'search = { width = "much" }\n',
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match="is no share"):
        begin_experiment(file, seed=None, settings=(), reports=tmp_path / "reports", choice=PROCESS)
    assert not (tmp_path / "reports").exists()
