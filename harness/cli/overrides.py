"""Short options for the keys that people change most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError

# Beyond the model's own limits, and small enough for a float.
_SIZE_MAX = 1e15

Edit = Callable[[dict[str, Any]], None]


def as_overrides(
    *,
    agents: int | None,
    rate: float | None,
    duration: float | None,
    until_decided: float | None = None,
    seed: int | None,
    settings: Sequence[str],
    defects: Sequence[str] = (),
) -> tuple[Sequence[str], Edit]:
    """`--set` pairs and an edit of the document's stages for the short options."""
    pairs = [*settings, *([] if seed is None else [f"seed={seed}"])]

    def edit(document: dict[str, Any]) -> None:
        if defects:
            _add_defects(document, defects)
        if (agents, rate, duration, until_decided) == (None, None, None, None):
            return
        load = document.get("load")
        stages = load.get("stages") if isinstance(load, dict) else None
        if not isinstance(load, dict) or not isinstance(stages, list) or not stages:
            raise UsageError(
                "the scenario has no [[load.stages]] to override",
                where="load.stages",
                hint="docs/scenarios.md describes it",
            )
        # What is no table, or no number, stays as it is: the scenario's model reports all at once.
        tables = [stage for stage in stages if isinstance(stage, dict)]
        _edit_stages(tables, agents, rate)
        if duration is not None:
            _scale(tables, duration, load.get("repeat", 1))
            # Who names a length wants that length, unless a longer one is named too.
            load.pop("until_decided_s", None)
        if until_decided is not None:
            load["until_decided_s"] = until_decided

    return pairs, edit


def _add_defects(document: dict[str, Any], defects: Sequence[str]) -> None:
    engine = document.setdefault("engine", {})
    own = engine.get("defects", []) if isinstance(engine, dict) else None
    if isinstance(own, list):
        engine["defects"] = [*own, *defects]


def _edit_stages(stages: list[dict[str, Any]], agents: int | None, rate: float | None) -> None:
    for stage in stages:
        if agents is not None:
            stage["agents"] = agents
        if rate is not None:
            stage["rate_from"] = rate
            stage.pop("rate_to", None)


def _scale(stages: list[dict[str, Any]], duration_s: float, repeat: object) -> None:
    lengths = [stage.get("duration_s") for stage in stages]
    total_s = sum(_size(length) for length in lengths) * _size(repeat)
    if total_s and all(_size(length) for length in lengths):
        for stage in stages:
            stage["duration_s"] = _size(stage["duration_s"]) * duration_s / total_s


def _size(value: object) -> float:
    """A number that can be computed with; 0 for everything else, which the model refuses."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return float(value) if 0 < value <= _SIZE_MAX else 0.0


def only_for_new(folder: Path, options: Mapping[str, object]) -> None:
    """Make sure that nothing is asked of stored evidence that only a new run could do.

    Args:
        folder: what is gone on with, or judged again.
        options: by their names; None or empty where they were not given.

    Raises:
        UsageError: one was given, and would be passed over.
    """
    if given := [name for name, value in options.items() if value not in (None, [])]:
        raise UsageError(
            f"{folder} was begun without it, and says itself what it is about",
            where=", ".join(given),
            hint="leave it out, or give a scenario file to begin anew",
        )
