"""Whatever else stands out, the most important first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from harness.diagnosis import nonce_locks, remarks_run, remarks_servers, remarks_services
from harness.diagnosis.answers import Remark
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.thresholds import REMARKS_MAX

_UNREAD_SHOWN = 4

RemarkFn = Callable[[DiagnosisContext], Iterable[Remark]]

# In the order of their weight: what happened to the run comes before what it used.
_REMARKS: tuple[RemarkFn, ...] = (
    remarks_run.disturbances,
    remarks_run.stalls,
    remarks_run.generator,
    remarks_run.steal,
    remarks_services.throttled,
    remarks_services.at_quota,
    remarks_services.memory,
    remarks_servers.backlog,
    remarks_servers.connections,
    remarks_servers.other_locks,
    remarks_servers.append_only_file,
    remarks_servers.checkpoints,
    remarks_services.pressure,
    remarks_run.hot_address,
)


def remarks_of(subject: DiagnosisContext, yes: Collection[str]) -> tuple[Remark, ...]:
    """At most REMARKS_MAX of them; that something could not be read is never left out.

    Args:
        subject: the run.
        yes: keys of the questions that are answered with yes. An engine that stands still because
            of that cause is no finding of its own, nor a hot address that was named there.
    """
    told: set[RemarkFn] = {remarks_run.stalls} if yes else set()
    if nonce_locks.KEY in yes:
        told.add(remarks_run.hot_address)
    found = [remark for look in _REMARKS if look not in told for remark in look(subject)]
    return (*found[:REMARKS_MAX], *unread(subject))


def _is_a_source(name: str) -> bool:
    """Whether it is a server or a service; single figures of one are told where they matter."""
    return name.count(".") == name.startswith("service.")


def unread(subject: DiagnosisContext) -> Iterator[Remark]:
    """What the telemetry lacks."""
    telemetry = subject.telemetry
    if not telemetry.present:
        yield Remark(
            key="telemetry", message="this run kept no telemetry: nothing tells of a cause"
        )
        return
    missing = [
        f"{name} ({why})" for name, why in sorted(telemetry.unread.items()) if _is_a_source(name)
    ]
    if missing:
        more = len(missing) - _UNREAD_SHOWN
        words = "; ".join(missing[:_UNREAD_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        yield Remark(key="telemetry", message=f"not read: {words}")
    if telemetry.invalid_lines:
        yield Remark(
            key="telemetry",
            message=f"{telemetry.invalid_lines} lines of the telemetry are unreadable",
        )
