"""Observations that no question covers, the most important first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from harness.diagnosis import nonce_locks, remarks_resources, remarks_run
from harness.diagnosis.answers import Remark
from harness.diagnosis.context import DiagnosisContext

REMARKS_MAX = 8
_UNREAD_SHOWN = 4
_ANY = "*"


@dataclass(frozen=True, slots=True)
class RemarkSource:
    """A source of remarks, registered in `REMARKS`.

    Attributes:
        covered_by: key of the question whose yes makes these remarks redundant, `*` for any
            question; empty where none does.
    """

    find: Callable[[DiagnosisContext], Iterable[Remark]]
    covered_by: str = ""

    def is_covered(self, yes: Collection[str]) -> bool:
        """Whether a question that is answered with yes already shows the same."""
        return self.covered_by in yes or (self.covered_by == _ANY and bool(yes))


# By importance: events of the run come before its resources.
REMARKS: tuple[RemarkSource, ...] = (
    RemarkSource(remarks_run.disruptions),
    # An engine that stalls because of a known cause is no finding of its own.
    RemarkSource(remarks_run.stalls, covered_by=_ANY),
    RemarkSource(remarks_run.generator),
    RemarkSource(remarks_run.steal),
    RemarkSource(remarks_resources.throttled),
    RemarkSource(remarks_resources.at_quota),
    RemarkSource(remarks_resources.memory),
    RemarkSource(remarks_resources.backlog),
    RemarkSource(remarks_resources.connections),
    RemarkSource(remarks_resources.other_locks),
    RemarkSource(remarks_resources.append_only_file),
    RemarkSource(remarks_resources.checkpoints),
    RemarkSource(remarks_resources.pressure),
    RemarkSource(remarks_run.hot_address, covered_by=nonce_locks.QUESTION.key),
)


def find_remarks(context: DiagnosisContext, yes: Collection[str]) -> tuple[Remark, ...]:
    """At most REMARKS_MAX remarks, then what telemetry lacks, which is never left out.

    Args:
        context: the run.
        yes: keys of the questions that are answered with yes.
    """
    found = [
        remark
        for source in REMARKS
        if not source.is_covered(yes)
        for remark in source.find(context)
    ]
    return (*found[:REMARKS_MAX], *_unread(context))


def _unread(context: DiagnosisContext) -> Iterator[Remark]:
    telemetry = context.telemetry
    if not telemetry.present:
        message = "this run has no telemetry: no cause can be found"
        yield Remark(key="telemetry", message=message)
        return
    missing = [
        f"{name} ({why})" for name, why in sorted(telemetry.unread.items()) if _is_a_source(name)
    ]
    if missing:
        more = len(missing) - _UNREAD_SHOWN
        message = "; ".join(missing[:_UNREAD_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        yield Remark(key="telemetry", message=f"telemetry lacks: {message}")
    if telemetry.invalid_lines:
        message = f"{telemetry.invalid_lines} lines of the telemetry are unreadable"
        yield Remark(key="telemetry", message=message)


def _is_a_source(name: str) -> bool:
    """Whether it is a server or a service; a single figure is reported where it is needed."""
    return name.count(".") == name.startswith("service.")
