"""What the shell completes, and how a stored run is named on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.cli.options import REPORTS
from harness.evidence.stored_runs import kind_of, newest_run

LATEST = "latest"


def stored_folder(path: Path) -> Path:
    """The folder of a run that was named by its folder, its id below `reports/`, or as `latest`."""
    if path.exists() or len(path.parts) != 1:
        return path
    if str(path) == LATEST:
        return newest_run(REPORTS) or path
    below = REPORTS / path
    return below if kind_of(below) else path


def complete_runs(incomplete: str) -> list[str]:
    """Ids of the runs in `reports/`, and folders."""
    names = [one.name for one in _entries(REPORTS) if kind_of(one)]
    return _matching([LATEST, *sorted(names, reverse=True)], incomplete)


def complete_scenarios(incomplete: str) -> list[str]:
    """Names of the shipped scenarios, and TOML files."""
    from harness.scenario.shipped_scenarios import scenario_names  # slow to import

    return _matching(scenario_names(), incomplete, ".toml")


def complete_defects(incomplete: str) -> list[str]:
    """Names of the defects of the reference services."""
    from harness.stack.defect_catalogue import read_catalogue  # slow to import
    from harness.stack.settings import ROOT

    return [name for name in read_catalogue(ROOT) if name.startswith(incomplete)]


def _matching(names: Iterable[str], incomplete: str, suffix: str = "") -> list[str]:
    """Names, and below a path that was begun its folders and its files with the suffix."""
    found = [name for name in names if name.startswith(incomplete)]
    folder = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    for one in _entries(folder):
        text = str(one)
        is_wanted = one.is_dir() or (suffix and one.suffix == suffix)
        if is_wanted and text.startswith(incomplete) and not one.name.startswith("."):
            found.append(f"{text}/" if one.is_dir() else text)
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
