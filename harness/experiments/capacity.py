"""The capacity: the highest level of a load at which every objective is met.

1. Ask `advance` for the next trial; it is a pure function of the plan and of all outcomes so far.
2. Run the trial as any other run, in a folder of its own, with every check of a run.
3. Store what it was asked for and which run it was. A trial that was broken off is run again.
4. At the end: the bounds, and the diagnosis of the lowest level that broke.

What a trial answered is read from its evidence, never from a stored result: a search that is
resumed, and one that is judged again, find the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from harness.analysis.capacity.search import advance, end_early
from harness.analysis.capacity.trials import (
    Answer,
    EndReason,
    Purpose,
    SearchPlan,
    SearchState,
    TrialOutcome,
    TrialRequest,
)
from harness.assessment.assess import Assessment, assess
from harness.assessment.capacity import Bottleneck, CapacityResult, TrialFigures
from harness.assessment.capacity_folder import (
    CapacityFolder,
    CapacityProgress,
    StoredTrial,
)
from harness.clock import NS_PER_S, Clock, SystemClock
from harness.diagnosis import engine, host, nonce_locks, redis_memory, rpc
from harness.diagnosis.answers import Answer as Found
from harness.diagnosis.answers import Diagnosis, Question, StageShare
from harness.diagnosis.stages import largest_stage
from harness.errors import EvidenceError
from harness.evidence.experiment_folder import StoredStack
from harness.evidence.run_folder import RunFolder
from harness.experiments.capacity_trial import outcome_of, trial_figures, trial_scenario
from harness.formatting import format_percent
from harness.judge.grade import Grade, worst_grade
from harness.judge.verdict import Verdict
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis, require_searchable

# Runs a scenario into a new folder below a path.
RunOnce = Callable[[Scenario, Path], tuple[Assessment, RunFolder]]
_UNCONFIRMED = Grade(level="indicative", reasons=("no level was confirmed",))
_CPU = ".cpu_cores"
# Answers with yes in a few words, by question.
_CAUSES = {
    engine.QUESTION.key: "engine CPU",
    redis_memory.QUESTION.key: "Redis memory",
    nonce_locks.QUESTION.key: "waits for the nonce lock",
    rpc.QUESTION.key: "slow RPC nodes",
    host.QUESTION.key: "the host",
}


class TrialSink:
    """Receives the trials of a search; this one ignores them."""

    def begins(self, request: TrialRequest) -> None:
        """A trial begins."""

    def ended(self, figures: TrialFigures) -> None:
        """It has ended; one that was broken off does not end."""


def search_capacity(
    scenario: Scenario,
    axis: CapacityAxis,
    plan: SearchPlan,
    folder: CapacityFolder,
    once: RunOnce,
    *,
    within_s: float | None = None,
    stack: StoredStack | None = None,
    sink: TrialSink | None = None,
    clock: Clock | None = None,
) -> CapacityResult:
    """Search the capacity, and store the result in the folder.

    Args:
        scenario: the base of every trial.
        axis: what is varied.
        plan: range, width and cost of the search.
        folder: a new one of `CapacityFolder.create`.
        once: executes one run; all of them on one stack, or each on its own.
        within_s: time budget of all trials together; None without one.
        stack: how it was chosen, for those who go on with the search.
        sink: receives each trial.
        clock: time that trials take.

    Raises:
        UsageError: the scenario cannot be searched.
        HarnessError: a trial failed; the search can be resumed.
    """
    require_searchable(scenario)
    folder.write(
        CapacityProgress(axis=axis, plan=plan, within_s=within_s, stack=stack or StoredStack())
    )
    return resume_search(folder, once, sink=sink, clock=clock)


def resume_search(
    folder: CapacityFolder,
    once: RunOnce,
    *,
    within_s: float | None = None,
    sink: TrialSink | None = None,
    clock: Clock | None = None,
) -> CapacityResult:
    """Go on with a search where it was broken off, and store the result.

    A search that has ended is judged again.

    Args:
        folder: of the search.
        once: executes one run.
        within_s: time budget from now on. If None, the one of the search goes on; one that is over
            counts no more.
        sink: receives each trial.
        clock: time that trials take.

    Raises:
        EvidenceError: evidence is missing or unreadable, or is that of another trial.
        HarnessError: a trial failed; the search can be resumed.
    """
    search = _Search(folder, sink or TrialSink(), clock or SystemClock())
    search.read_trials()
    search.go_on(within_s)
    search.run_trials(once)
    return search.store()


def judge_search(folder: CapacityFolder) -> CapacityResult:
    """Judge every trial again from its evidence, and the search; nothing is run.

    Raises:
        EvidenceError: evidence is missing or unreadable, or is that of another trial.
    """
    search = _Search(folder, TrialSink(), SystemClock())
    search.read_trials()
    return search.store()


class _Search:
    """A search and its trials so far."""

    def __init__(self, folder: CapacityFolder, sink: TrialSink, clock: Clock) -> None:
        self._folder = folder
        self._sink = sink
        self._clock = clock
        self._facts = folder.read()
        self._base = folder.read_scenario()
        self._trials: list[TrialFigures] = []
        self._outcomes: list[TrialOutcome] = []

    def read_trials(self) -> None:
        """Judge the stored trials from their evidence."""
        for stored in self._facts.trials:
            run = RunFolder.open(self._folder.run_path(stored.run_id))
            self._add(stored.request, (assess(run), run), stored.elapsed_s)

    def go_on(self, within_s: float | None) -> None:
        """Take back why the search ended, and set its time budget."""
        elapsed_s, facts = self._facts.elapsed_s, self._facts
        if within_s is not None:
            self._write(ended="", within_s=elapsed_s + within_s)
        elif facts.ended == "out_of_time":
            self._write(ended="", within_s=None)
        elif facts.ended:
            self._write(ended="")

    def run_trials(self, once: RunOnce) -> None:
        """Run the trials that are missing."""
        while (request := self._advance().request) is not None:
            own = trial_scenario(self._base, self._facts.axis, request)
            least_s = own.load.warmup_s + own.load.stages[0].duration_s
            within_s = self._facts.within_s
            if within_s is not None and self._facts.elapsed_s + least_s > within_s:
                self._write(ended="out_of_time")
                return
            self._sink.begins(request)
            start_ns = self._clock.now_ns()
            try:
                run = once(own, self._folder.path)
            except Interrupted:
                self._write(ended="interrupted")
                return
            if any(event.kind == "interrupted" for event in run[1].read_run().events):
                self._write(ended="interrupted")
                return
            elapsed_s = round((self._clock.now_ns() - start_ns) / NS_PER_S, 3)
            self._add(request, run, elapsed_s)
            stored = StoredTrial(request=request, run_id=run[1].run_id, elapsed_s=elapsed_s)
            self._write(trials=(*self._facts.trials, stored))
            self._sink.ended(self._trials[-1])

    def store(self) -> CapacityResult:
        """The result; it is written."""
        state = self._advance()
        if state.request is not None and self._facts.ended:
            reason = EndReason(self._facts.ended)
            state = end_early(self._facts.plan, self._outcomes, reason)
        verdict = Verdict[state.status.name] if state.status else Verdict.INCONCLUSIVE
        confirmed = [one.grade for one in self._trials if one.purpose is Purpose.CONFIRM_MET]
        result = CapacityResult(
            search_id=self._folder.path.name,
            scenario=self._base.name,
            stack=self._facts.stack.kind,
            axis=self._facts.axis,
            objectives=tuple(one.text for one in self._base.parsed_objectives()),
            plan=self._facts.plan,
            within_s=self._facts.within_s,
            verdict=verdict,
            exit_code=int(verdict.exit_code),
            reason=state.reason,
            bounds=state.bounds,
            trials=tuple(self._trials),
            bottleneck=find_bottleneck(self._folder, self._trials),
            grade=worst_grade(confirmed) if confirmed else _UNCONFIRMED,
            elapsed_s=round(self._facts.elapsed_s, 3),
        )
        self._folder.write_result(result)
        return result

    def _add(
        self, request: TrialRequest, run: tuple[Assessment, RunFolder], elapsed_s: float
    ) -> None:
        figures = trial_figures(self._base, self._facts.axis, request, run, elapsed_s)
        self._trials.append(figures)
        self._outcomes.append(outcome_of(request, figures))

    def _advance(self) -> SearchState:
        try:
            return advance(self._facts.plan, self._outcomes)
        except ValueError as error:
            raise EvidenceError(
                f"the trials do not follow from each other: {error}",
                where=str(self._folder.path),
                hint="another version of the harness judges a trial otherwise; search anew",
            ) from error

    def _write(self, **changes: object) -> None:
        self._facts = self._facts.model_copy(update=changes)
        self._folder.write(self._facts)


def find_bottleneck(folder: CapacityFolder, trials: Sequence[TrialFigures]) -> Bottleneck | None:
    """The diagnosis of the lowest level that broke, above every level that is proven.

    Of several trials of that level the latest counts.

    Raises:
        EvidenceError: its evidence is missing or unreadable.
    """
    trial = _first_broken(trials)
    if trial is None:
        return None
    assessment = assess(RunFolder.open(folder.run_path(trial.run_id)), on_demand=True)
    diagnosis = assessment.diagnosis
    stage = largest_stage(assessment.measurement.splits)
    yes = [one for one in diagnosis.questions if one.answer is Found.YES] if diagnosis else []
    return Bottleneck(
        level=trial.level,
        run_id=trial.run_id,
        key=yes[0].key if yes else "",
        message=_short(yes[0]) if yes else _no_cause(diagnosis, stage),
        stage=stage,
        diagnosis=diagnosis,
    )


def _first_broken(trials: Iterable[TrialFigures]) -> TrialFigures | None:
    known = list(trials)
    met = max((one.level for one in known if one.answer is Answer.MET), default=0.0)
    broken = [one for one in known if one.answer is Answer.BROKEN]
    above = [one for one in broken if one.level > met] or broken
    return min(above, key=lambda one: (one.level, -one.number), default=None)


def _short(question: Question) -> str:
    """The answer in a few words: `engine CPU at 96 % of its quota`."""
    first, cause = question.evidence[0] if question.evidence else None, _CAUSES[question.key]
    if question.key == engine.QUESTION.key and first and first.limit and _CPU in first.track:
        share = first.value / (first.limit / engine.ENGINE_CPU_SHARE)
        return f"{cause} at {format_percent(share)} of its quota"
    return cause


def _no_cause(diagnosis: Diagnosis | None, stage: StageShare | None) -> str:
    """Where the latency is, if no question has the cause."""
    if diagnosis is not None and diagnosis.failed:
        return diagnosis.failed
    if stage is None:
        return "the diagnosis names no cause"
    contains = stage.contains or f"'{stage.start} -> {stage.end}'"
    return (
        f"no resource at a known limit; {format_percent(stage.share)} of the latency is {contains}"
    )
