"""`clock_step`: a service's wall clock that is set, and the time that the service reports."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from harness.clock import NS_PER_S, Clock, SystemClock
from harness.errors import StackError
from harness.faults.factory import ProcessFaultFactory
from harness.faults.health_checks import ANSWER_TIMEOUT_S
from harness.faults.instance import FaultInstance, HealthCheck, Services, injection, state_of
from harness.http_client import HttpClient
from harness.process.faketime import FILE_VARIABLE, ahead
from harness.scenario.fault_base import FaultBase, Length, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import OnlyTarget

# A service reports its clock in whole seconds, so a smaller step could not be proven.
STEP_MIN_S, STEP_MAX_S = 3.0, 86_400.0
# A server's clock splits what is measured, and libfaketime fails the short sleeps of the engine
# (clock_nanosleep to a time that has come: EINVAL).
_TARGETS = ("data-processor",)
_DRAWN_STEP_S = (5.0, 3_600.0)
# `Date` is in whole seconds, and the request has a delay.
_PRECISION_S = 1.5
# The time that a service reports over HTTP, in seconds since the epoch; None when it reports none.
ReadClock = Callable[[], float | None]


@fault("clock_step")
class ClockStep(FaultBase):
    """The service's wall clock is ahead by `step_s` for `for_s`, and then right again.

    Attributes:
        step_s: below 0 it is behind.
    """

    targets: ClassVar[TargetRule] = OnlyTarget(names=_TARGETS)
    drawn: ClassVar = "by_name"
    steps_clock: ClassVar[bool] = True
    unsupported_reasons: ClassVar = {"docker": "containers share this host's wall clock"}

    kind: Literal["clock_step"]
    step_s: Annotated[float, Field(ge=-STEP_MAX_S, le=STEP_MAX_S)]
    for_s: Length

    @field_validator("step_s")
    @classmethod
    def _shows(cls, step_s: float) -> float:
        if abs(step_s) < STEP_MIN_S:
            raise ValueError(f"a step of less than {STEP_MIN_S:g} s could not be proven")
        return step_s

    @classmethod
    def draw(cls, chance: random.Random, room_s: float) -> dict[str, Any]:
        drawn = super().draw(chance, room_s)
        step_s = chance.choice((-1, 1)) * chance.uniform(*_DRAWN_STEP_S)
        return {**drawn, "step_s": round(step_s, 1)}


@injection(ClockStep, "process")
def _step(fault: ClockStep, on: ProcessFaultFactory) -> FaultInstance:
    read_clock = http_date_clock(on.endpoints.metrics_urls.get(fault.target, ""))
    return FaultInstance(
        ClockInjector(on.services, fault.target, fault.step_s),
        ClockProbe(read_clock, on.health_check(fault.target), fault.step_s),
    )


def variable_of(pid: int, name: str, proc: Path = Path("/proc")) -> str:
    """A variable that a process was started with; empty without it."""
    try:
        entries = (proc / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    start = f"{name}=".encode()
    return next((os.fsdecode(one[len(start) :]) for one in entries if one.startswith(start)), "")


def http_date_clock(url: str) -> ReadClock:
    """The clock of the service at a URL, by the header `Date` of its answer."""

    def read() -> float | None:
        try:
            with HttpClient(url, ANSWER_TIMEOUT_S) as client:
                date = client.get("/healthz").headers.get("Date")
            return parsedate_to_datetime(date).timestamp() if date else None
        except (OSError, ValueError):
            return None

    return read


@dataclass
class ClockInjector:
    """Writes the step into the file that the service's process reads its clock by."""

    services: Services
    name: str
    step_s: float
    _file: Path | None = field(default=None, init=False)

    def inject(self) -> None:
        state = state_of(self.services, self.name)
        if state is None or not state.alive:
            raise StackError("does not run, so its clock cannot be set", where=self.name)
        file = variable_of(state.pid, FILE_VARIABLE)
        if not file:
            raise StackError("was not started with a clock that can be set", where=self.name)
        self._file = Path(file)
        self._set(self.step_s)

    def heal(self) -> None:
        if self._file is not None:
            self._set(0.0)

    def _set(self, step_s: float) -> None:
        assert self._file is not None  # noqa: S101 - who sets has found it
        try:
            # One that is read while it is written would be a clock at any time.
            fresh = self._file.with_suffix(".new")
            fresh.write_text(ahead(step_s), encoding="ascii")
            fresh.replace(self._file)
        except OSError as error:
            raise StackError(
                f"cannot be written: {error.strerror}", where=str(self._file)
            ) from error


@dataclass
class ClockProbe:
    """Compares the time that the service reports with this host's."""

    read_clock: ReadClock
    health_check: HealthCheck | None
    step_s: float
    clock: Clock = field(default_factory=SystemClock)

    def before(self) -> None:
        found = self._ahead_s()
        if found is None:
            raise StackError("does not report the time", where="clock_step")
        if abs(found) > _PRECISION_S:
            raise StackError(f"is {found:+.1f} s off before its fault", where="clock_step")

    def holds(self) -> str:
        found = self._ahead_s()
        if found is None or abs(found - self.step_s) > _PRECISION_S:
            return ""
        return f"its answers bear a time {found:+.0f} s off this host's"

    def ended(self) -> str:
        found = self._ahead_s()
        if found is None or abs(found) > _PRECISION_S:
            return ""
        answer = self.health_check() if self.health_check else "it answers"
        return f"its answers bear this host's time; {answer}" if answer else ""

    def _ahead_s(self) -> float | None:
        found = self.read_clock()
        return None if found is None else found - self.clock.wall_ns() / NS_PER_S
