"""Injects faults on schedule during the load, each in a thread of its own, and always heals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import EvidenceError, error_text
from harness.evidence.fault_log import FaultRecord, format_fault_record
from harness.faults.instance import FaultFactory, FaultInstance
from harness.process.background_task import BackgroundTask, Wait
from harness.scenario.fault import PlannedFault

POLL_EVERY_NS = 20 * NS_PER_MS
# A fault that is a moment must be seen within this time; one that lasts, while it lasts.
PROOF_MAX_NS = 10 * NS_PER_S
# The specification allows 15 s for a recovery; after twice that the fault counts as not healed.
HEAL_PROOF_MAX_NS = 30 * NS_PER_S
# A fault in force shows within this time; a single poll of a busy host may miss it.
HELD_MAX_NS = NS_PER_S
_HEAL_TRIES = 2
# An aborted run does not wait that long.
_ABORTED_PROOF_MAX_NS = 5 * NS_PER_S
_JOIN_S = (HEAL_PROOF_MAX_NS + PROOF_MAX_NS) / NS_PER_S


@dataclass
class _Job:
    """A fault, and its record so far."""

    planned: PlannedFault
    instance: FaultInstance
    record: FaultRecord
    thread: threading.Thread | None = field(default=None)

    def note(self, **known: object) -> None:
        self.record = self.record.model_copy(update=known)


class FaultRunner(BackgroundTask):
    """Injects the planned faults, proves and heals them, and records what the probes saw.

    Args:
        planned: every fault, in the order of time.
        factory: makes them ready.
        path: file for the records.
        clock: the host's clocks.
        wait: waits so many seconds, or until the event is set; whether it is.
    """

    def __init__(
        self,
        planned: Sequence[PlannedFault],
        factory: FaultFactory,
        path: Path,
        clock: Clock,
        wait: Wait = threading.Event.wait,
    ) -> None:
        super().__init__(path, clock, wait)
        self._planned = planned
        self._factory = factory
        self._jobs: list[_Job] = []

    def start(self, t0_ns: int) -> None:
        """Begin the schedule of a load that starts at `t0_ns`.

        Raises:
            UsageError: the stack cannot have such a fault.
            EvidenceError: the file cannot be written.
        """
        for planned in self._planned:
            record = FaultRecord(
                number=planned.number,
                kind=planned.kind,
                target=planned.target,
                peer=planned.peer,
                planned_ns=t0_ns + planned.at_ns,
                for_ns=planned.for_ns,
            )
            self._jobs.append(_Job(planned, self._factory.create(planned.fault), record))
        self._append("")
        for job in self._jobs:
            name = f"fault-{job.planned.number}"
            job.thread = threading.Thread(target=self._run, args=(job,), name=name, daemon=True)
            job.thread.start()

    def stop(self, *, abort: bool = False) -> None:
        """Wait until every fault is healed and recorded. May be called twice.

        Args:
            abort: heal at once what is in force, and inject nothing more.
        """
        now_ns = self._clock.now_ns()
        overdue = any(job.record.planned_ns > now_ns for job in self._jobs)
        if abort or overdue:  # a load that ended early has no use for the rest
            self._abort.set()
        for job in self._jobs:
            if job.thread is not None:
                job.thread.join(_JOIN_S)
                if job.thread.is_alive():
                    self._fail(f"{job.record.name} did not end")

    def verify(self) -> None:
        """Check the effects that faults have after the load, on this thread.

        Raises:
            HarnessError: one cannot be checked.
        """
        for job in self._jobs:
            if job.instance.verify is not None:
                job.instance.verify()

    def close(self) -> None:
        """Release what outlives the faults. May be called twice."""
        with ExitStack() as stack:  # each of them, also when another one fails
            for job in self._jobs:
                if job.instance.close is not None:
                    stack.callback(job.instance.close)

    def _run(self, job: _Job) -> None:
        try:
            if not self._until(job.record.planned_ns):
                self._follow(job)
            else:
                job.note(trouble="the run was over before its time came")
        except Exception as error:  # of any kind: the fault is recorded as not proven
            job.note(trouble=error_text(error))
        try:
            self._append(format_fault_record(job.record))
        except EvidenceError as error:
            self._fail(str(error))

    def _follow(self, job: _Job) -> None:
        injector, probe = job.instance.injector, job.instance.probe
        probe.before()
        try:
            job.note(injected_ns=self._clock.now_ns())
            injector.inject()
            self._prove(job)
            self._await_answer(job)
            self._until((job.record.injected_ns or 0) + job.planned.for_ns)
            if job.planned.for_ns and self._poll(probe.holds, self._clock.now_ns() + HELD_MAX_NS):
                job.note(held_ns=self._clock.now_ns())
        except Exception as error:  # recorded, and the fault is healed all the same
            job.note(trouble=error_text(error))
        job.note(healed_ns=self._clock.now_ns())
        self._heal(job)
        self._prove_healed(job)

    def _heal(self, job: _Job) -> None:
        """Heal it; an injector that failed half way gets a second try."""
        for _ in range(_HEAL_TRIES):
            try:
                job.instance.injector.heal()
            except Exception as error:  # recorded; the probe shows what is left
                job.note(trouble=error_text(error))
            else:
                return

    def _prove(self, job: _Job) -> None:
        begun_ns = job.record.injected_ns or 0
        limit_ns = job.planned.for_ns or PROOF_MAX_NS
        seen = self._poll(job.instance.probe.holds, begun_ns + limit_ns, until_aborted=True)
        if seen:
            job.note(proven_ns=self._clock.now_ns(), seen=seen)
            self._add_message(f"fault: {job.record.name}: {seen}")
        else:
            self._add_message(f"fault: {job.record.name}: the probe saw nothing of it")

    def _await_answer(self, job: _Job) -> None:
        """Poll for what the system has to do about the fault, while this lasts."""
        if job.instance.answer is None:
            return
        until_ns = (job.record.injected_ns or 0) + job.planned.for_ns
        if answer := self._poll(job.instance.answer, until_ns, until_aborted=True):
            job.note(answered_ns=self._clock.now_ns(), answer=answer)
            self._add_message(f"fault: {job.record.name}: {answer}")

    def _prove_healed(self, job: _Job) -> None:
        limit_ns = _ABORTED_PROOF_MAX_NS if self._abort.is_set() else HEAL_PROOF_MAX_NS
        seen = self._poll(job.instance.probe.ended, self._clock.now_ns() + limit_ns)
        if seen:
            job.note(heal_proven_ns=self._clock.now_ns(), seen_healed=seen)
            self._add_message(f"fault: {job.record.name} is over: {seen}")
        else:
            self._add_message(f"fault: {job.record.name}: the probe did not see it end")

    def _poll(self, probe: Callable[[], str], until_ns: int, *, until_aborted: bool = False) -> str:
        """Ask a probe until it sees something, at most until a time; empty if it never did."""
        while True:
            if seen := probe():
                return seen
            if self._clock.now_ns() >= until_ns or (until_aborted and self._abort.is_set()):
                return ""
            self._clock.sleep_ns(POLL_EVERY_NS)
