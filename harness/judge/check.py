"""The result of one check, what declares a check, and the context that checks are made in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from harness.analysis.anomalies import Anomaly
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
from harness.judge.verdict import Status, Verdict
from harness.printable import SingleLineText
from harness.scenario import Load, Scenario

# Containers of a stack that send signals of their own, in addition to the swarm.
_AGENT_CONTAINER = "python-agent"

Figure = int | float | str | None


class CheckKind(StrEnum):
    """What a check is about: an objective, the system's effects, or the run itself."""

    OBJECTIVE = "objective"
    INTEGRITY = "integrity"
    VALIDITY = "validity"


class ContractPart(StrEnum):
    """What a contract may leave out, as messages name it."""

    LEDGER = "ledger"
    NONCE = "nonce of a task"
    GROUP = "group of the engine"
    CHAIN = "stream of chain events"
    TIMESTAMP = "time stamp of a task"


class FinalStatePart(StrEnum):
    """Parts of the final state that a check may rest on.

    All but the last two are keys of `FinalStateCoverage.unread`.
    """

    TASKS = "tasks"
    LEDGER = "ledger"
    AMOUNTS = "bookings"
    NONCES = "nonces"
    TIMESTAMPS = "stamps"
    OUTCOME = "outcome"
    STATUS = "status"


class NotApplicable(StrEnum):
    """Why a check does not apply to a run: the figure `reason`."""

    CONTRACT = "contract"  # the contract does not name what the check needs
    UNREADABLE = "unreadable"  # the harness could not read what the check rests on
    NOT_RECORDED = "not_recorded"  # the run kept no such evidence
    NOTHING_TO_COMPARE = "nothing_to_compare"  # there is no signal, row or report to check
    METHOD = "observation_method"  # the way of observing does not show it
    OBSERVER_GAP = "observer_gap"  # the observer was cut off meanwhile
    IN_FLIGHT = "signals_in_flight"  # some outcomes are still open
    ROWS_REMOVED = "rows_removed"  # the system removes the rows
    REDIS_VERSION = "redis_version"  # this version of Redis does not report it
    RESTART = "service_restarted"  # the counters of a service began again
    FOREIGN_SIGNALS = "foreign_signals"  # the counters include signals of others
    DRAIN_SKIPPED = "drain_skipped"  # the run ended before its drain began
    UNSPECIFIED = "unspecified"  # of a result of schema 1, which has no reason


class Check(BaseModel):
    """The result of one check.

    Attributes:
        id: stable machine name, unique within a result; see the table in docs/validity.md.
        name: the title for reports; of an objective its text, with the mode if there are several.
        message: one sentence with the figures.
        figures: the same figures for programs; durations in ns, names end in their unit. Where the
            check is NOT_APPLICABLE, `reason` is a `NotApplicable`.
        examples: trace ids, at most 20, or names of other things that violate the check.
        hint: of an INVALID check, what to change so that the next run is valid.
        objective: the objective's text as in the scenario; empty for other checks.
        mode: of an objective, the mode of its signals; empty for all modes together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: SingleLineText
    kind: CheckKind
    status: Status
    message: SingleLineText
    figures: dict[str, Figure] = {}
    examples: tuple[SingleLineText, ...] = ()
    hint: SingleLineText = ""
    objective: SingleLineText = ""
    mode: str = ""

    def not_applicable(self, reason: NotApplicable, message: str, **figures: Figure) -> Check:
        """This check as one that does not apply: it claims nothing, and gives the reason."""
        changes = {
            "status": Status.NOT_APPLICABLE,
            "message": message,
            "figures": {"reason": reason.value, **figures},
            "examples": (),
        }
        return self.model_copy(update=changes)


class Problem(NamedTuple):
    """What is wrong with a run, and what to change so that the next one is valid."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """What a check is; declared once, in the module that makes the check.

    Attributes:
        id, name, kind, objective, mode: see `Check`.
        fail, invalid, inconclusive: what the status means, for docs/validity.md; empty where the
            check never has it.
        needs: parts of contract and final state without which the check does not apply.
        contract_hints: anomalies that may be intended in an attached system, each with the key of
            the contract that declares it.
    """

    id: str
    name: str
    kind: CheckKind
    fail: str = ""
    invalid: str = ""
    inconclusive: str = ""
    needs: tuple[ContractPart | FinalStatePart, ...] = ()
    contract_hints: tuple[tuple[Anomaly, str], ...] = ()
    objective: str = ""
    mode: str = ""

    def judged(
        self,
        verdict: Verdict,
        message: str,
        figures: Mapping[str, Figure] | None = None,
        examples: Sequence[str] = (),
        hint: str = "",
    ) -> Check:
        """The check with a verdict."""
        return Check(
            id=self.id,
            name=self.name,
            kind=self.kind,
            status=Status.of(verdict),
            message=message,
            figures=dict(figures or {}),
            examples=tuple(examples),
            hint=hint,
            objective=self.objective,
            mode=self.mode,
        )

    def valid_unless(
        self,
        problems: Sequence[Problem],
        good: str,
        figures: Mapping[str, Figure] | None = None,
        examples: Sequence[str] = (),
    ) -> Check:
        """INVALID with the messages of all problems and the first hint; else PASS with `good`."""
        return self.judged(
            Verdict.INVALID if problems else Verdict.PASS,
            "; ".join(one.message for one in problems) or good,
            figures,
            examples,
            problems[0].hint if problems else "",
        )

    def not_applicable(self, reason: NotApplicable, message: str, **figures: Figure) -> Check:
        """The check as one that does not apply to the run."""
        return self.judged(Verdict.PASS, message).not_applicable(reason, message, **figures)


@dataclass(frozen=True, slots=True)
class CheckContext:
    """Everything that checks read.

    Attributes:
        observer: `observer.json`; None if the observer did not finish.
        stack: `stack.json`, as it is.
        environment: `environment.json`, as it is.
        seal: the evidence compared with its seal.
        counters: counts of the services; None if they were not recorded.
        pool_samples: of the consumer group that agents share; none without such a group.
        requested_load: the load as requested, where it differs from the actual one in `scenario`
            and `plan`; else None.
        telemetry: reads the telemetry once, on first use: it is large for a long run.
        events: as recorded one by one; None of an older run.
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
        """Whether a person interrupted the run."""
        return any(event.kind == "interrupted" for event in self.run.events)

    @property
    def on_own_servers(self) -> bool:
        """Whether the harness started the servers, so that no other programs use them."""
        return self.stack.get("kind") in ("process", "docker")

    @property
    def is_dedicated(self) -> bool:
        """Whether only the swarm sends signals to the system."""
        services = self.stack.get("services") or ()
        return self.on_own_servers and not any(
            str(name).startswith(_AGENT_CONTAINER) for name in services
        )
