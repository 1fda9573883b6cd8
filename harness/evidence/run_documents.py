"""Metadata documents of a run, as frozen values."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.clock import NS_PER_S
from harness.contract.address import AddressBook
from harness.contract.names import Contract
from harness.evidence.new_folder import FileName
from harness.printable import SingleLineText
from harness.scenario.models import Load, Signals

# Files that a run writes beyond those of the first version; see `RunMetadata.kept`.
EXTRA_FILES = (
    "vitals.jsonl",
    "swarm.jsonl",
    "observer.jsonl",
    "reads.bin",
    "redis.jsonl",
    "final-bookings.bin",
    "final-stamps.bin",
    "metrics.json",
    "seal.json",
    "events.jsonl",
)

# Events after which the load may be incomplete.
TRUNCATING_EVENTS = frozenset(
    {"swarm_died", "interrupted", "observer_died", "stack_lost", "aborted"}
)

# What the last status of a swarm process says that was stopped early on purpose; earlier versions
# had another beginning.
_BEFORE_LAST = "before its last signal was due"
STOPPED_EARLY = f"ended by SIGTERM {_BEFORE_LAST}"

# Written by a run that makes data stale.
CHAIN_HEADS_FILE = "final-heads.bin"
# Written by a run unless telemetry is disabled.
TELEMETRY_FILE = "telemetry.jsonl"


# Monotonic, in ns: 73 years. Sums and differences of such moments fit into 64 bits.
Moment = Annotated[int, Field(ge=0, le=1 << 61)]


def is_stopped_early(error: str) -> bool:
    """Whether a swarm process ended with this error because it was stopped early on purpose."""
    return error.endswith(_BEFORE_LAST)


class _Stored(BaseModel):
    # A newer harness may have written more fields; a missing field is an error.
    model_config = ConfigDict(frozen=True, extra="ignore")


class RunPlan(_Stored):
    """`plan.json`: the plan of the swarm, without secrets.

    Attributes:
        run_tag: identifies the run in its trace ids.
        t0_ns: monotonic time at which the first stage of `load.timeline()` begins.
        nonce_starts: first nonce of an address, by its index; 0 for the others.
    """

    run_tag: Annotated[int, Field(ge=0, lt=1 << 48)]
    seed: Annotated[int, Field(ge=0)]
    t0_ns: Moment
    load: Load
    signals: Signals = Signals()
    contract: Contract = Contract()
    nonce_starts: dict[int, Annotated[int, Field(ge=0, le=1 << 61)]] = {}

    def addresses(self) -> AddressBook:
        """The signing addresses of the run."""
        hot = self.signals.addresses == "hot"
        return AddressBook(self.run_tag, self.contract.addresses, hot=hot)


class RunEvent(_Stored):
    """Something that happened during a run and that the judge must know.

    Attributes:
        kind: one of the kinds that `harness.judge.validity` knows.
        what: one sentence with the figures, for people.
        mono_ns: when it was noticed.
        subject: the service that it is about; None where it is about none, or of an older version.
        exit_code: with which the service ended; None where that is not known.
        restarts: of the service, since the start of the run.
    """

    kind: SingleLineText
    what: SingleLineText = ""
    mono_ns: Moment = 0
    subject: SingleLineText | None = None
    exit_code: Annotated[int, Field(ge=-(1 << 31), lt=1 << 32)] | None = None
    restarts: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None

    @property
    def service(self) -> str:
        """The service of an event about one; older versions have it in the sentence only."""
        return self.what.partition(" ")[0] if self.subject is None else self.subject


class AnalysisFacts(_Stored):
    """One interim analysis: its number, and the measured time."""

    number: Annotated[int, Field(ge=1)]
    measured_s: float


class RunMetadata(_Stored):
    """`run.json`: times and events of a run.

    Attributes:
        observation_end_ns: when the observer had stopped.
        drain_deadline_ns: when signals that are not final count as lost; 0 if the run ended
            before its drain began.
        load_end_ns: when the swarm had ended; 0 if the run ended before, or is of an older version.
        analyses: interim analyses during the load.
        kept: names of the files that this harness writes beyond those of the first version. A
            listed file that is missing was lost.
    """

    t0_ns: Moment
    observation_end_ns: Moment
    drain_deadline_ns: Moment = 0
    load_end_ns: Moment = 0
    events: tuple[RunEvent, ...] = ()
    analyses: tuple[AnalysisFacts, ...] = ()
    kept: tuple[FileName, ...] = ()

    @property
    def watched_until_ns(self) -> int:
        """End of the observation, or of the observer."""
        died_ns = self.first_ns("observer_died")
        end_ns = self.observation_end_ns
        return end_ns if died_ns is None else min(died_ns, end_ns)

    @property
    def drain_elapsed(self) -> bool:
        """Whether the drain time was over by then."""
        return 0 < self.drain_deadline_ns <= self.watched_until_ns

    def actual_load(self, load: Load) -> Load:
        """The load as it was sent: without the analyses that a decided run did not need."""
        if load.until_decided_s is None:
            return load
        ends_ns = [
            self.t0_ns + round((load.warmup_s + end_s) * NS_PER_S)
            for end_s in load.analysis_times_s()
        ]
        cut_ns = [one.mono_ns for one in self.events if one.kind in TRUNCATING_EVENTS]
        if self.first_ns("decided") is not None and self.analyses:
            analyses = self.analyses[-1].number
        else:
            # Truncated: the part that had begun counts, with fewer signals.
            begun = 1 + sum(end_ns <= min(cut_ns, default=ends_ns[-1]) for end_ns in ends_ns)
            analyses = min(begun, len(ends_ns))
        return load.ended_after(analyses, (self.load_end_ns or ends_ns[-1]) - self.t0_ns)

    def first_ns(self, kind: str) -> int | None:
        """Time of the first event of a kind; None without one."""
        return min((event.mono_ns for event in self.events if event.kind == kind), default=None)


class ObserverSummary(_Stored):
    """`observer.json`: the observer's summary at its end.

    Attributes:
        way: method of observation.
        seen: number of sightings written.
        gaps: number of disconnections by the server; missed rows were read by query.
        in_gap: whether it was disconnected when it ended.
        drained: whether it had read everything committed before its end.
        unreadable: row versions of any run that could not be parsed.
        foreign: row versions of other runs, which it skipped.
        stream_looks: lines of `redis.jsonl`; None from a version without that file.
        cause: why it was last disconnected, or ended early; empty otherwise.
        blind_since_ns: since when it could not read at its end; 0 if it could.
        filtered: whether row-level security may have hidden rows from its polls.
        unnamed: statuses that are not in the contract, with the number of row versions of each.
        words_checked: status reports of the system that were compared with the table.
        words_early: of these, reports of a status that the table did not show yet.
        words_early_max_ns: largest such lead; None if the table did not show one in time.
        method_package: installed package of the method of observation, with its version.
        misses_nothing: what an external method states of itself; None of a built-in one.
    """

    way: str = ""
    seen: int
    gaps: int = 0
    in_gap: bool = False
    drained: bool
    unreadable: int = 0
    foreign: int = 0
    stream_looks: int | None = None
    cause: str = ""
    blind_since_ns: int = 0
    filtered: bool = False
    unnamed: dict[str, int] = {}
    words_checked: int = 0
    words_early: int = 0
    words_early_max_ns: int | None = 0
    method_package: str = ""
    misses_nothing: bool | None = None
