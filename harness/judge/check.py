"""One finding of the judgement, and what the checks look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from harness.analysis.integrity.pending_takeover import PendingSnapshot
from harness.analysis.measurement import Measurement
from harness.analysis.resources.telemetry import Telemetry
from harness.analysis.run_analysis import RunAnalysis
from harness.analysis.statistics import interim_confidence
from harness.evidence.manifest import ManifestCheck
from harness.evidence.run_documents import ObserverSummary, RunEvent, RunMetadata, RunPlan
from harness.judge.expected_schedule import ExpectedSchedule
from harness.judge.final_state import FinalState
from harness.judge.service_counters import ServiceCounters
from harness.judge.verdict import Verdict
from harness.printable import SingleLineText
from harness.scenario import Load, Scenario

# Beside the swarm these send signals of their own, when a stack is told to have some.
_AGENT_CONTAINER = "python-agent"

Figure = int | float | str | None


class CheckKind(StrEnum):
    """What a check is about: the promise, the system's effects, or the run itself."""

    OBJECTIVE = "objective"
    INTEGRITY = "integrity"
    VALIDITY = "validity"


class Check(BaseModel):
    """One thing that was looked at.

    Attributes:
        said: a sentence with the figures.
        figures: the same figures, for programs; durations in ns, names end in their unit.
        offenders: trace ids, 20 at most, or what else it is that offends.
        hint: of one that is INVALID, what to change so that the next run is valid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: SingleLineText
    kind: CheckKind
    verdict: Verdict
    message: SingleLineText
    figures: dict[str, Figure] = {}
    examples: tuple[SingleLineText, ...] = ()
    hint: SingleLineText = ""

    def not_judged(self, why: str) -> Check:
        """This check as one that was not made: it claims nothing, and says why."""
        said = f"not judged: {why}"
        changes = {"verdict": Verdict.PASS, "message": said, "figures": {}, "examples": ()}
        return self.model_copy(update=changes)


class Problem(NamedTuple):
    """What is wrong with a run, and what to change so that the next one is valid."""

    message: str
    hint: str


def validity_check(
    name: str,
    problems: Sequence[Problem],
    good: str,
    figures: dict[str, Figure] | None = None,
    offenders: tuple[str, ...] = (),
) -> Check:
    """A check of the run itself: INVALID with every problem, or PASS with what is good."""
    return Check(
        name=name,
        kind=CheckKind.VALIDITY,
        verdict=Verdict.INVALID if problems else Verdict.PASS,
        message="; ".join(one.message for one in problems) or good,
        figures=figures or {},
        examples=offenders,
        hint=problems[0].hint if problems else "",
    )


@dataclass(frozen=True, slots=True)
class CheckContext:
    """Everything a run is judged by.

    Attributes:
        observer: `observer.json`; None if the observer did not come to its end.
        stack: `stack.json`, as it is.
        environment: `environment.json`, as it is.
        seal: the evidence held against its seal.
        told: what the services counted; None if nobody wrote it down.
        pool: looks at the group that agents share; none without such a group.
        planned: the load that was asked for; `scenario` and `plan` have it as it came to be. None
            where that is the same.
        telemetry: reads it, once; of a long run it is large.
        events: as they were kept one by one; None of an older run.
    """

    scenario: Scenario
    plan: RunPlan
    run: RunMetadata
    analysis: RunAnalysis
    measurement: Measurement
    expected: ExpectedSchedule
    final: FinalState
    observer: ObserverSummary | None = None
    stack: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seal: ManifestCheck = ManifestCheck(None)
    counters: ServiceCounters | None = None
    pool_samples: tuple[PendingSnapshot, ...] = ()
    requested_load: Load | None = None
    telemetry: Callable[[], Telemetry] = Telemetry
    events: tuple[RunEvent, ...] | None = None

    @property
    def confidence(self) -> float:
        """Of each bound: 95 %, and more where the verdict was analysed repeatedly."""
        return interim_confidence(self.requested_load or self.scenario.load)

    @property
    def is_interrupted(self) -> bool:
        """Whether a person broke the run off."""
        return any(event.kind == "interrupted" for event in self.run.events)

    @property
    def on_own_servers(self) -> bool:
        """Whether the harness started the servers, so that nobody else's programs use them."""
        return self.stack.get("kind") in ("process", "docker")

    @property
    def is_dedicated(self) -> bool:
        """Whether nobody but the swarm sends signals to the system."""
        services = self.stack.get("services") or ()
        return self.on_own_servers and not any(
            str(name).startswith(_AGENT_CONTAINER) for name in services
        )
