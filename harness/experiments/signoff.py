"""The attempts of a sign-off, of every criterion of a policy in order; each is kept.

1. Policy, plan and scenarios are written before anything runs, and never changed.
2. A criterion without an answer gets an attempt, in a folder of its own, with the seed that follows
   from the plan. The journal has its beginning and its end.
3. The attempt is judged from its evidence. The first valid one answers; a FAIL stays a FAIL.
4. At the end everything is judged again from the evidence, see `signoff_result`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.assessment.signoff import AttemptResult, deciding_attempt
from harness.assessment.signoff_folder import SignoffFolder, utc_text
from harness.clock import Clock, SystemClock
from harness.errors import HarnessError, UsageError, error_text
from harness.evidence.chained_journal import AttemptEnd
from harness.experiments.signoff_judging import AttemptQuestion
from harness.experiments.signoff_result import AttemptJudge
from harness.judge.verdict import Verdict
from harness.printable import without_secrets
from harness.process.interrupt import Interrupted
from harness.scenario.policy import Criterion

# Makes the evidence of an attempt in a folder; what was aborted there before may be resumed.
Measure = Callable[[AttemptQuestion, Path], None]
# Those that were aborted or refused count too, so that no loop is without an end.
_ATTEMPTS_MAX = 50


class SignoffSink:
    """Receives the progress of a sign-off; this one ignores it."""

    def begins(self, criterion: Criterion, attempt: int) -> None:
        """An attempt begins, or is resumed."""

    def ended(self, criterion: Criterion, result: AttemptResult) -> None:
        """It has ended."""


def run_attempts(
    folder: SignoffFolder,
    measure: Measure,
    *,
    sink: SignoffSink | None = None,
    clock: Clock | None = None,
) -> None:
    """Make the attempts that are missing, of one criterion after the other.

    Args:
        folder: with its plan.
        measure: makes the evidence of an attempt.
        sink: receives each attempt.
        clock: time of the journal.

    Raises:
        Interrupted: a person aborted an attempt; the sign-off can be resumed.
        EvidenceError: the plan or the journal is broken.
    """
    runner = _Runner(folder, measure, sink or SignoffSink(), clock or SystemClock())
    for criterion in runner.policy.criterion:
        runner.run(criterion)


class _Runner:
    """A sign-off under way."""

    def __init__(
        self, folder: SignoffFolder, measure: Measure, sink: SignoffSink, clock: Clock
    ) -> None:
        self.policy = folder.read_policy()
        self._folder = folder
        self._measure = measure
        self._sink = sink
        self._clock = clock
        self._journal = folder.journal()
        self._journal.drop_torn_line()
        self._judge = AttemptJudge(folder)

    def run(self, criterion: Criterion) -> None:
        """The attempts of a criterion, until one answers or no other one is due."""
        self._close_aborted(criterion)
        made = 0
        while (number := self._next_number(criterion, made)) is not None:
            made += 1
            self._attempt(criterion, number)

    def _close_aborted(self, criterion: Criterion) -> None:
        """An attempt that a crash or a kill cut off has ended, unless it can be resumed."""
        attempts = self._attempts(criterion)
        if attempts and not attempts[-1].ended and not criterion.is_resumable:
            self._folder.begin_attempt(criterion, attempts[-1].number)
            self._end(criterion, attempts[-1].number, "aborted")

    def _next_number(self, criterion: Criterion, made: int) -> int | None:
        """The number of the attempt that is due, from 1 on; None where none is.

        Args:
            criterion: what is asked.
            made: attempts of this call.
        """
        attempts = self._attempts(criterion)
        if deciding_attempt(attempts) is not None or len(attempts) >= _ATTEMPTS_MAX:
            return None
        if attempts and not attempts[-1].ended:
            return attempts[-1].number
        whole = [one for one in attempts if one.outcome in ("completed", "failed")]
        invalid = sum(one.verdict is Verdict.INVALID for one in whole)
        # What left no evidence would leave none again; whoever mends the host begins once more.
        is_pointless = made > 0 and attempts[-1].verdict is None
        if invalid >= self.policy.policy.attempts or is_pointless:
            return None
        return len(attempts) + 1

    def _attempt(self, criterion: Criterion, number: int) -> None:
        self._sink.begins(criterion, number)
        is_new = number > len(self._attempts(criterion))
        if is_new:
            self._journal.append("begun", self._now(), criterion.id, number)
        path = self._folder.begin_attempt(criterion, number)
        outcome: AttemptEnd = "completed"
        error = ""
        try:
            self._measure(self._judge.question(criterion, number), path)
        except Interrupted:
            if not criterion.is_resumable:
                self._end(criterion, number, "aborted")
            raise
        except UsageError as problem:
            outcome, error = "refused", _text(problem)
        except HarnessError as problem:
            outcome, error = "failed", _text(problem)
        self._end(criterion, number, outcome, error)
        self._sink.ended(criterion, self._attempts(criterion)[-1])

    def _end(self, criterion: Criterion, number: int, outcome: AttemptEnd, error: str = "") -> None:
        self._journal.append(
            "ended", self._now(), criterion.id, number, outcome=outcome, error=error
        )

    def _attempts(self, criterion: Criterion) -> tuple[AttemptResult, ...]:
        return self._judge.attempts(criterion, self._journal.read())

    def _now(self) -> str:
        return utc_text(self._clock.wall_ns())


def _text(error: HarnessError) -> str:
    return without_secrets(error_text(error))
