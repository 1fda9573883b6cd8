"""Short options for the keys that people change most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.errors import UsageError

Edit = Callable[[dict[str, Any]], None]


def as_overrides(
    *,
    agents: int | None,
    rate: float | None,
    duration: float | None,
    seed: int | None,
    settings: Sequence[str],
    defects: Sequence[str] = (),
) -> tuple[Sequence[str], Edit]:
    """`--set` pairs and an edit of the document's stages for the short options."""
    pairs = [*settings, *([] if seed is None else [f"seed={seed}"])]

    def edit(document: dict[str, Any]) -> None:
        if defects:
            _add_defects(document, defects)
        if (agents, rate, duration) == (None, None, None):
            return
        load = document.get("load")
        stages = load.get("stages") if isinstance(load, dict) else None
        if not isinstance(load, dict) or not isinstance(stages, list) or not stages:
            raise UsageError("the scenario has no [[load.stages]] to override", where="load.stages")
        _edit_stages(stages, agents, rate)
        if duration is not None:
            _scale(stages, duration / int(load.get("repeat", 1)))

    return pairs, edit


def _add_defects(document: dict[str, Any], defects: Sequence[str]) -> None:
    engine = document.setdefault("engine", {})
    if isinstance(engine, dict):
        engine["defects"] = [*engine.get("defects", []), *defects]


def _edit_stages(stages: list[dict[str, Any]], agents: int | None, rate: float | None) -> None:
    for stage in stages:
        if agents is not None:
            stage["agents"] = agents
        if rate is not None:
            stage["rate_from"] = rate
            stage.pop("rate_to", None)


def _scale(stages: list[dict[str, Any]], duration_s: float) -> None:
    total_s = sum(float(stage.get("duration_s", 0)) for stage in stages)
    if total_s <= 0:
        raise UsageError("the stages have no duration to scale", where="load.stages")
    for stage in stages:
        stage["duration_s"] = float(stage.get("duration_s", 0)) * duration_s / total_s
