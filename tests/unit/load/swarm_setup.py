"""Loads and plans for tests of the swarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from pydantic import SecretStr

from harness.contract.names import Contract
from harness.scenario.models import Load, Signals, Stage
from harness.schedule.plan import SwarmPlan


def load_of(*stages: tuple[int, float, float, float], **more: Any) -> Load:
    """A load without warm-up from (agents, rate from, rate to, seconds)."""
    return Load(
        **{"warmup_s": 0, **more},
        stages=tuple(
            Stage(agents=agents, rate_from=first, rate_to=last, duration_s=seconds)
            for agents, first, last, seconds in stages
        ),
    )


def plan_of(load: Load, folder: Path = Path("nowhere"), **more: Any) -> SwarmPlan:
    """A plan whose schedule begins at 1 s on the clock."""
    values: dict[str, Any] = {
        "run_tag": 0xABC,
        "seed": 7,
        "t0_ns": 1_000_000_000,
        "load": load,
        "signals": Signals(),
        "contract": Contract(),
        "redis_url": SecretStr("redis://localhost"),
        "folder": folder,
    }
    return SwarmPlan(**{**values, **more})


_rates = st.one_of(st.just(0.0), st.floats(0.01, 300))
_stages = st.tuples(st.integers(1, 12), _rates, _rates, st.floats(0.01, 5))


def loads(*arrivals: str) -> st.SearchStrategy[Load]:
    """Any small load of these kinds of arrival."""
    return st.builds(
        lambda stages, arrival: load_of(*stages, arrival=arrival),
        st.lists(_stages, min_size=1, max_size=4),
        st.sampled_from(arrivals or ("constant", "poisson")),
    )
