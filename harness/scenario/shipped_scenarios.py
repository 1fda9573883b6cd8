"""Scenarios by name: `smoke` is the shipped `scenarios/smoke.toml`, from any folder."""

from __future__ import annotations

from pathlib import Path, PurePath

from harness.data_files import SCENARIOS
from harness.errors import UsageError, nearest

_SUFFIX = ".toml"


def find_scenario(given: Path, shipped: Path = SCENARIOS) -> Path:
    """The file that a user means: a path, else a name as `harness scenarios` lists it.

    `smoke`, `smoke.toml` and `scenarios/smoke.toml` name the same shipped file where there is no
    such path. A folder does not hide a name, since no command reads a scenario from a folder.

    Args:
        given: path or name.
        shipped: folder of the shipped files.

    Raises:
        UsageError: there is neither; the hint has the nearest name.
    """
    try:
        is_folder, is_there = given.is_dir(), given.exists()
    except OSError:  # a name that no file can have; whoever reads it reports why
        return given
    if is_there and not is_folder:
        return given
    names = scenario_names(shipped)
    name = _name_of(given)
    if name in names:
        return shipped / f"{name}{_SUFFIX}"
    if is_folder:
        return given
    like = nearest(name, names)
    hint = "`harness scenarios` lists the scenarios"
    raise UsageError(
        "no such file, and no scenario of this name",
        where=str(given),
        hint=f"did you mean {like}? {hint}" if like else hint,
    )


def scenario_names(shipped: Path = SCENARIOS) -> tuple[str, ...]:
    """Names of the shipped scenarios and experiments, in order."""
    files = shipped.rglob(f"*{_SUFFIX}")
    return tuple(sorted(path.relative_to(shipped).with_suffix("").as_posix() for path in files))


def _name_of(given: PurePath) -> str:
    """The name in a path such as `scenarios/smoke.toml`, as the documentation writes it."""
    parts = given.parts[1:] if given.parts[:1] == ("scenarios",) else given.parts
    return PurePath(*parts).as_posix().removesuffix(_SUFFIX)
