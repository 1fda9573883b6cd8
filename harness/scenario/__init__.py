"""Scenarios: frozen values, read from TOML, with all errors reported at once."""

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
from harness.scenario.objective import SLO, Objective, parse_objective

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
