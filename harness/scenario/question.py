"""The question that a scenario asks, as a fingerprint: runs of one question can be compared.

What a scenario is called, what it says of itself, its seed and how it spells an objective change
nothing of the question. A key at its default is left out, so that a key which a later version adds
leaves the fingerprints of older runs as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from harness.scenario.load import Load
from harness.scenario.models import Scenario
from harness.scenario.objective import SLO, Objective

# Of SHA-256, which has 64: 48 bits separate more questions than anyone asks.
_DIGITS = 12
_NOT_ASKED = {"name", "about", "seed", "objectives"}


def question_fingerprint(scenario: Scenario) -> str:
    """`fingerprint` of a scenario; equal for scenarios that ask the same."""
    document = scenario.model_dump(mode="json", exclude=_NOT_ASKED, exclude_defaults=True)
    objectives = {_text(_limits(slo, scenario.load)) for slo in scenario.slos()}
    return fingerprint({**document, "objectives": sorted(objectives)})


def fingerprint(document: Mapping[str, Any]) -> str:
    """Twelve hex digits of a document; the order of its keys changes nothing."""
    return hashlib.sha256(_text(document).encode()).hexdigest()[:_DIGITS]


def canonical_objective(objective: Objective, load: Load) -> Objective:
    """An objective without its spelling; its stage by name, where it has one."""
    stage = objective.stage
    for number, own in enumerate(load.stages, 1):
        if stage in (own.name, str(number)):
            return replace(objective, text="", stage=own.name or str(number))
    return replace(objective, text="")


def _limits(slo: SLO, load: Load) -> dict[str, Any]:
    limits = asdict(canonical_objective(slo.parsed, load))
    known = {name: value for name, value in limits.items() if value not in (None, "", False)}
    return {**known, "abort_delay_s": slo.abort_delay_s} if slo.abort_on_fail else known


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
