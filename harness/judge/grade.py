"""Whether a run may be used for a sign-off, and every reason against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from harness.clock import NS_PER_S
from harness.judge import applicability
from harness.judge.check import CheckContext, CheckSpec
from harness.judge.host_runs import run_counts
from harness.judge.limits import BUSY_SHARE_SIGNOFF, SIGNOFF_S
from harness.judge.quotas import quotas_hold
from harness.scenario import Engine, Phase

# What a stack of processes can never be; of containers, the stack itself names what they lack.
_PROCESS_REASONS = (
    "the servers and services are not the specified images",
    "child processes have no quotas",
    "reference services ran instead of the real ones",
)

# Of a system that ran already, whatever its description claims.
ATTACHED_REASON = "the system was attached as it ran: its images and quotas were not verified"


class Grade(BaseModel):
    """What the run is good for.

    Attributes:
        reasons: every reason that kept it from `signoff`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["signoff", "indicative"]
    reasons: tuple[str, ...] = ()


def grade_run(case: CheckContext, specs: Iterable[CheckSpec]) -> Grade:
    """The grade of a run.

    Args:
        case: the run.
        specs: of all checks; one that does not apply keeps the run from a sign-off.
    """
    reasons = tuple(dict.fromkeys(_reasons(case, specs)))
    return Grade(level="indicative" if reasons else "signoff", reasons=reasons)


def worst_grade(grades: Sequence[Grade]) -> Grade:
    """The grade of several runs: the worst of theirs, with what kept each from a sign-off."""
    if not grades:
        return Grade(level="indicative", reasons=("no run was made",))
    runs_by_reason: dict[str, list[int]] = {}
    for number, grade in enumerate(grades, start=1):
        for reason in grade.reasons:
            runs_by_reason.setdefault(reason, []).append(number)
    reasons = tuple(
        reason if len(runs) == len(grades) else f"{_runs_word(runs)}: {reason}"
        for reason, runs in runs_by_reason.items()
    )
    levels = {grade.level for grade in grades}
    return Grade(level="indicative" if "indicative" in levels else "signoff", reasons=reasons)


def _runs_word(runs: Sequence[int]) -> str:
    return f"run{'s' if len(runs) > 1 else ''} {', '.join(str(number) for number in runs)}"


def _engine_reasons(engine: Engine) -> Iterator[str]:
    if engine.defects:
        yield "defects were switched on in the reference services"
    if engine.service is not None:
        yield "the reference engine had a stated service rate"


def _reasons(case: CheckContext, specs: Iterable[CheckSpec]) -> Iterator[str]:
    kind = case.stack.get("kind")
    if kind in ("docker", "attach"):
        if kind == "docker" and not quotas_hold(case):
            yield "not every quota was verified in the live control groups"
        if kind == "attach":
            yield ATTACHED_REASON
        yield from _strings(case.stack.get("grade_reasons", "the images were not recorded"))
    else:
        yield from _PROCESS_REASONS
    yield from applicability.not_applicable_reasons(case, specs)
    yield from _changed_system(case)
    # Swarm and observer run on the host of the system under test, whatever the stack.
    if case.stack.get("generator_apart") is not True:
        yield "the generator ran on the cores of the system under test"
    vitals = case.measurement.vitals
    if vitals is not None and vitals.host.busy_share >= BUSY_SHARE_SIGNOFF:
        yield (
            f"the cores were {100 * vitals.host.busy_share:.3g} % busy:"
            " latencies include waiting for one"
        )
    yield from _other_runs(case)
    measured_s = case.analysis.timeline.duration_ns(Phase.MEASURE) / NS_PER_S
    if measured_s < SIGNOFF_S:
        yield f"{measured_s:,.0f} s were measured, a sign-off needs {SIGNOFF_S} s"
    if not case.environment.get("commit"):
        yield "the commit of the harness is not known"
    elif case.environment.get("modified"):
        yield "the harness was modified after its commit"


def _changed_system(case: CheckContext) -> Iterator[str]:
    yield from _engine_reasons(case.scenario.engine)
    if changes := case.scenario.system_changes:
        yield f"the system differs from the specified one: {', '.join(changes)}"


def _other_runs(case: CheckContext) -> Iterator[str]:
    if any(number > 0 for number in run_counts(case)):
        yield "another run of a harness was under way on this host"


def _strings(value: Any) -> tuple[str, ...]:
    """Reasons that the stack recorded; anything but a list is a reason itself."""
    return tuple(str(one) for one in value) if isinstance(value, list) else (str(value),)
