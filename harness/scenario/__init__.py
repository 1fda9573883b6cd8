"""What to do: a frozen scenario, read from TOML, with every problem reported at once."""

from harness.scenario.file import load_scenario
from harness.scenario.models import (
    Chain,
    Engine,
    Load,
    Phase,
    Redis,
    Scenario,
    Signals,
    Stage,
    Telemetry,
)
from harness.scenario.objective import Objective, parse_objective
from harness.scenario.slo import SLO

__all__ = [
    "SLO",
    "Chain",
    "Engine",
    "Load",
    "Objective",
    "Phase",
    "Redis",
    "Scenario",
    "Signals",
    "Stage",
    "Telemetry",
    "load_scenario",
    "parse_objective",
]
