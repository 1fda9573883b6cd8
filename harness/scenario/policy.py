"""A policy of a sign-off: its criteria in order, each with its question, and its waivers.

Its file is TOML with the tables `[policy]`, `[[criterion]]` and `[[waiver]]`; docs/signoff.md has
every key. A kind of criterion is one class in `CRITERION_KINDS`.
"""

from __future__ import annotations

import operator
from collections import Counter
from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from harness.errors import UsageError, nearest
from harness.printable import SingleLineText
from harness.scenario.agent_containers import AGENTS_MAX
from harness.scenario.experiment import SearchOptions
from harness.scenario.file import POLICY, format_problems, parse_toml, read_config_text
from harness.scenario.isolation import Isolation
from harness.scenario.models import Scenario

CRITERIA_MAX = 100
# A criterion that is INVALID again and again needs another host, not another attempt.
ATTEMPTS_MAX = 5

Text = Annotated[SingleLineText, Field(min_length=1, max_length=300)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Criterion(_Frozen):
    """One question, and what is done to answer it; a class of its own for each kind.

    Class attributes:
        meaning: when it is MET, for docs/signoff.md.
        required: ids of checks that must be PASS; a run without them answers nothing.
        is_resumable: whether an attempt that was aborted is resumed, instead of a new attempt.

    Attributes:
        id: unique in the policy.
        kind: the name of the kind; each class declares it as a literal.
        scenario: file beside the policy, or a shipped one.
        set: `KEY=VALUE` of the scenario, as with `--set`.
    """

    meaning: ClassVar[str]
    required: ClassVar[tuple[str, ...]] = ()
    is_resumable: ClassVar[bool] = False

    id: Id
    question: Text
    if TYPE_CHECKING:  # a field of each class
        kind: str
    scenario: Annotated[str, Field(min_length=1, max_length=400)]
    set: Annotated[tuple[str, ...], Field(max_length=100, strict=False)] = ()

    def find_misfit(self, scenario: Scenario) -> str:
        """Why a scenario cannot answer the question; empty if it can."""
        del scenario  # most kinds take any
        return ""


class _OneRun(Criterion):
    """One run.

    Attributes:
        agent_containers: as the option of `harness run`.
    """

    agent_containers: Annotated[int, Field(ge=0, le=AGENTS_MAX)] = 0


class RunPasses(_OneRun):
    """One run."""

    meaning: ClassVar[str] = "the run is PASS"

    kind: Literal["run"]


class QuotasVerified(_OneRun):
    """One run on containers, whose quotas are read from the live control groups."""

    meaning: ClassVar[str] = "the run is PASS, with every quota verified live, before and after"
    required: ClassVar[tuple[str, ...]] = ("quotas_enforced",)

    kind: Literal["quotas"]


class GatePasses(_OneRun):
    """One run with a gate of fuzzed EVM rounds."""

    meaning: ClassVar[str] = "the run is PASS, and so are every round and invariant of its gate"
    required: ClassVar[tuple[str, ...]] = ("gate_invariants", "gate_execution")

    kind: Literal["gate"]

    def find_misfit(self, scenario: Scenario) -> str:
        return "" if scenario.gate else "has no [gate]"


class BackupRestored(_OneRun):
    """One run with a backup policy."""

    meaning: ClassVar[str] = "the run is PASS, the right backups are kept, and a restore is whole"
    required: ClassVar[tuple[str, ...]] = ("backups_restored",)

    kind: Literal["backup"]

    def find_misfit(self, scenario: Scenario) -> str:
        has_one = any(fault.kind == self.kind for fault in scenario.fault)
        return "" if has_one else "has no fault of a backup"


class AgentsScaleOut(_OneRun):
    """One run that scales agents out and in."""

    meaning: ClassVar[str] = "the run is PASS, and Zone B is unchanged by every step"
    required: ClassVar[tuple[str, ...]] = (
        *("scale_out_executed", "zone_b_unchanged", "scaled_in_time", "agents_served"),
        *("events_spread", "nothing_left_pending"),
    )

    kind: Literal["scale_out"]

    def find_misfit(self, scenario: Scenario) -> str:
        return "" if scenario.agent_containers.steps else "has no agent_containers.steps"


class RunsPass(Criterion):
    """Several runs, judged together."""

    meaning: ClassVar[str] = "the group of `times` runs is PASS"

    kind: Literal["repeat"]
    times: Annotated[int, Field(ge=2, le=100)]


class CapacityReached(Criterion):
    """A search of the capacity.

    Attributes:
        least: signals/s that must be proven.
        search: options of the search; a search up to `least` only is the cheapest.
    """

    meaning: ClassVar[str] = "every confirmation of a rate of `least` or more is met"
    is_resumable: ClassVar[bool] = True

    kind: Literal["capacity"]
    least: Annotated[float, Field(gt=0, le=100_000)]
    search: SearchOptions = SearchOptions()


class Isolated(Criterion):
    """Paired blocks of load with and without a disturbance.

    Attributes:
        disturb: faults without times, tables as `[[fault]]` of a scenario.
        pairs, block_s, margin_ms: see `Isolation`.
        agent_containers: as the option of `harness isolate`.
    """

    meaning: ClassVar[str] = "the disturbance is proven, and the system is isolated from it"

    kind: Literal["isolation"]
    disturb: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=20, strict=False)]
    pairs: int = 8
    block_s: float = 15.0
    margin_ms: float = 50.0
    agent_containers: Annotated[int, Field(ge=0, le=AGENTS_MAX)] = 0

    @model_validator(mode="after")
    def _has_blocks(self) -> Isolated:
        _ = self.blocks
        return self

    @property
    def blocks(self) -> Isolation:
        """The blocks of the run."""
        return Isolation(pairs=self.pairs, block_s=self.block_s, margin_ms=self.margin_ms)

    def find_misfit(self, scenario: Scenario) -> str:
        return "has faults of its own" if scenario.fault else ""


class RoundsPass(Criterion):
    """Rounds of random faults.

    Attributes:
        rounds: how many.
        faults: only faults of these kinds; of all where it is empty.
    """

    meaning: ClassVar[str] = "every round is PASS: its fault proven, its recovery in time"
    is_resumable: ClassVar[bool] = True

    kind: Literal["chaos"]
    rounds: Annotated[int, Field(ge=1, le=1_000)]
    faults: Annotated[tuple[str, ...], Field(max_length=50, strict=False)] = ()

    def find_misfit(self, scenario: Scenario) -> str:
        return "has faults of its own" if scenario.fault else ""


# Every kind of criterion. How one is measured is in `harness.cli.signoff_steps.STEPS`, how it is
# judged in `harness.experiments.signoff_judging.JUDGES`; a test compares their keys with these.
CRITERION_KINDS: tuple[type[Criterion], ...] = (
    RunPasses,
    RunsPass,
    QuotasVerified,
    CapacityReached,
    Isolated,
    RoundsPass,
    GatePasses,
    BackupRestored,
    AgentsScaleOut,
)


def kind_name(model: type[Criterion]) -> str:
    """The name of a kind, as a policy writes it."""
    (name,) = get_args(model.model_fields["kind"].annotation)
    return str(name)


class _ByKind:
    """Validates a criterion as the class of its kind."""

    @staticmethod
    def __get_pydantic_core_schema__(source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source
        models = reduce(operator.or_, CRITERION_KINDS)
        return handler.generate_schema(Annotated[models, Field(discriminator="kind")])


class Waiver(_Frozen):
    """A criterion that may be missed, decided before anything ran.

    Attributes:
        criterion: its id.
        reason: why it may be missed.
        who: answers for it.
        until: the last day on which a sign-off may begin with it (UTC).
    """

    criterion: Id
    reason: Text
    who: Text
    until: date


class Head(_Frozen):
    """The table `[policy]`.

    Attributes:
        attempts: of a criterion, until one is valid.
        stack: as the option `--stack`, which wins.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    about: Annotated[SingleLineText, Field(min_length=1, max_length=200)]
    attempts: Annotated[int, Field(ge=1, le=ATTEMPTS_MAX)] = 2
    stack: Literal["process", "docker", "attach"] = "process"


class Policy(_Frozen):
    """A whole policy."""

    policy: Head
    criterion: Annotated[
        tuple[Annotated[Criterion, _ByKind], ...],
        Field(min_length=1, max_length=CRITERIA_MAX, strict=False),
    ]
    waiver: Annotated[tuple[Waiver, ...], Field(max_length=CRITERIA_MAX, strict=False)] = ()

    @model_validator(mode="after")
    def _ids_are_unique_and_known(self) -> Policy:
        ids = [one.id for one in self.criterion]
        problems = [f"criterion: {name!r} is there twice" for name in _repeated(ids)]
        waived = [one.criterion for one in self.waiver]
        problems += [f"waiver: {name!r} has two waivers" for name in _repeated(waived)]
        for name in waived:
            if name not in ids:
                near = nearest(name, ids)
                hint = f"; did you mean {near!r}?" if near else ""
                problems.append(f"waiver: there is no criterion {name!r}{hint}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def waiver_of(self, criterion_id: str) -> Waiver | None:
        """The waiver of a criterion; None without one."""
        return next((one for one in self.waiver if one.criterion == criterion_id), None)


def read_policy_text(path: Path, *, by_user: bool = True) -> str:
    """The text of a policy's file.

    Raises:
        UsageError: missing, unreadable, not a regular file, too large, or not UTF-8.
    """
    return read_config_text(path, by_user=by_user)


def load_policy(path: Path) -> Policy:
    """The policy of a file.

    Raises:
        UsageError: as `read_policy_text` and `parse_policy`.
    """
    return parse_policy(read_policy_text(path), str(path))


def parse_policy(text: str, where: str) -> Policy:
    """A policy from its text.

    Args:
        text: of the file.
        where: its name, for errors.

    Raises:
        UsageError: not TOML, no policy, or wrong entries, which are all named.
    """
    hint = "docs/signoff.md lists every key; scenarios/signoff/quick.toml is a whole policy"
    document = parse_toml(text, where)
    if POLICY not in document:
        raise UsageError("is no policy: it has no [policy]", where=where, hint=hint)
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise UsageError(
            format_problems(error, "the policy", model=Policy), where=where, hint=hint
        ) from error


def kind_table() -> str:
    """A Markdown table of all kinds, for docs/signoff.md."""
    rows = ["| kind | MET when | keys of its own |", "|---|---|---|"]
    common = Criterion.model_fields.keys() | {"kind"}
    for model in CRITERION_KINDS:
        own = ", ".join(f"`{key}`" for key in model.model_fields if key not in common)
        rows.append(f"| `{kind_name(model)}` | {model.meaning} | {own} |")
    return "\n".join(rows)


def _repeated(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
