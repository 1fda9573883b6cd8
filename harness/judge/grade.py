"""Whether a run may be used for a sign-off, and everything that stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from harness.clock import NS_PER_S
from harness.judge.check import Case
from harness.judge.limits import SIGNOFF_S
from harness.scenario import Phase

# Facts that a stack must have verified and written down; what is not said is not so.
_NEEDED = (
    ("images_as_specified", "the servers and services are not the specified images"),
    ("quotas_verified", "quotas were not verified in the live control groups"),
    ("quotas_fit_host", "it was not verified that the quotas fit the host's CPUs"),
    ("generator_apart", "the generator ran on the cores of the system under test"),
    ("services_real", "reference services ran instead of the real ones"),
)


class Grade(BaseModel):
    """What the run is good for.

    Attributes:
        reasons: every reason that kept it from `signoff`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["signoff", "indicative"]
    reasons: tuple[str, ...] = ()


def grade_of(case: Case) -> Grade:
    """The grade of a run."""
    reasons = tuple(_reasons(case))
    return Grade(level="indicative" if reasons else "signoff", reasons=reasons)


def _reasons(case: Case) -> Iterator[str]:
    facts: Any = case.stack.get("signoff")
    said = facts if isinstance(facts, dict) else {}
    for name, reason in _NEEDED:
        if said.get(name) is not True:
            yield reason
    measured_s = case.gathered.timeline.duration_ns(Phase.MEASURE) / NS_PER_S
    if measured_s < SIGNOFF_S:
        yield f"{measured_s:,.0f} s were measured, a sign-off needs {SIGNOFF_S} s"
    if not case.environment.get("commit"):
        yield "the commit of the harness is not known"
    elif case.environment.get("modified"):
        yield "the harness was modified after its commit"
