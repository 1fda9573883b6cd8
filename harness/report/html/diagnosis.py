"""The diagnosis on the page, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from harness.diagnosis.answers import Diagnosis
from harness.judge.verdict import Verdict
from harness.report.data import ReportData
from harness.report.html.components import Section
from harness.report.html.run_timeline import RunTimeline


@dataclass(frozen=True, slots=True)
class DiagnosisView:
    """Content of the section.

    Attributes:
        why_none: why there is no diagnosis.
        command: the command that makes one.
    """

    diagnosis: Diagnosis | None
    why_none: str
    command: str


def diagnosis_section(data: ReportData, _: RunTimeline) -> Section:
    """Questions, stages and remarks."""
    why_none = "none was requested, or it was not stored"
    if data.judgement.verdict is Verdict.PASS:
        why_none = "P99 was below 80 % of every objective, and none was requested"
    return Section(
        "diagnosis",
        "Diagnosis",
        "The four questions of the specification in its order, and the host; the first yes is the"
        " likeliest cause.",
        template="diagnosis.html.j2",
        content=DiagnosisView(data.diagnosis, why_none, f"harness diagnose {data.folder.path}"),
    )
