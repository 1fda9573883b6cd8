"""What a report is made of: stored evidence, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.assessment.assess import assess
from harness.assessment.result import RESULT_SCHEMA_VERSION
from harness.errors import EvidenceError
from harness.evidence.manifest import evidence_digests
from harness.evidence.result_digests import with_digests
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from harness.report.data import command_of, read_report_data
from harness.report.html import html_report
from harness.report.junit import junit_xml
from harness.report.markdown import markdown
from tests.unit.analysis.evidence import T0_NS, S


def files_of(folder: RunFolder) -> dict[str, bytes]:
    """Everything in a folder."""
    return {
        path.relative_to(folder.path).as_posix(): path.read_bytes()
        for path in folder.path.rglob("*")
        if path.is_file()
    }


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a stored document."""
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def rebind(folder: RunFolder) -> None:
    """Have a result speak of itself and of the evidence as they are now."""
    document = json.loads(folder.result.read_text(encoding="utf-8"))
    folder.result.write_text(
        json.dumps(with_digests(document, evidence_digests(folder))), encoding="utf-8"
    )


def test_stored_run_is_read_and_left_alone(judged: RunFolder) -> None:
    """Measurement and judgement are those that were stored, and no file is touched."""
    before = files_of(judged)
    data = read_report_data(judged)
    found = assess(judged)
    assert data.measurement == found.measurement
    assert data.judgement == found.judgement
    assert data.scenario.name == "synthetic"
    assert data.at_s(T0_NS + 2 * S) == 2.0
    assert data.diagnosis is None
    assert files_of(judged) == before


def test_latency_over_time_adds_up_to_the_figures(judged: RunFolder) -> None:
    """The logs of each phase and mode hold every signal of the histogram, second by second."""
    data = read_report_data(judged)
    assert {(log.phase, log.mode) for log in data.latency} == {
        (phase, mode) for phase in ("warmup", "measure") for mode in ("lite", "full")
    }
    for log in data.latency:
        figures = data.measurement.of("latency", log.phase, log.mode)
        assert figures is not None
        parts = list(log.intervals())
        assert sum(part.histogram.count for part in parts) == figures.count
        own = [
            one
            for one in data.measurement.intervals
            if (one.phase, one.mode) == (log.phase, log.mode)
        ]
        assert [part.start_s for part in parts] == [one.start_s for one in own]
        assert [part.histogram.max_ns for part in parts] == [one.max_ns for one in own]


def test_without_a_result_the_evidence_is_judged_in_memory(judged: RunFolder) -> None:
    """The report is the same and names the missing result; no result is stored."""
    stored = read_report_data(judged)
    judged.result.unlink()
    data = read_report_data(judged)
    assert data.measurement == stored.measurement
    assert data.judgement == stored.judgement
    assert [log.text for log in data.latency] == [log.text for log in stored.latency]
    assert any("result.json" in line for line in data.missing_evidence)
    assert not judged.result.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(schema_version=RESULT_SCHEMA_VERSION - 1),
        lambda document: document.pop("schema_version"),
        lambda document: document["measurement"].pop("figures"),
    ],
    ids=["older version", "no version", "a field of an older harness is missing"],
)
def test_older_result_is_judged_again(
    judged: RunFolder, change: Callable[[dict[str, Any]], None]
) -> None:
    """What this harness cannot read of an older one it judges again from the evidence."""
    edit(judged.result, change)
    data = read_report_data(judged)
    assert data.judgement.verdict is Verdict.PASS
    assert any("result.json" in line for line in data.missing_evidence)


def test_result_before_seconds_and_diagnosis_is_read(judged: RunFolder) -> None:
    """Newer fields are empty, and nothing is judged again."""

    def strip(document: dict[str, Any]) -> None:
        del document["measurement"]["seconds"], document["diagnosis"]

    edit(judged.result, strip)
    rebind(judged)
    data = read_report_data(judged)
    assert data.measurement.seconds == ()
    assert not any("anew" in line for line in data.missing_evidence)


def test_what_a_newer_harness_added_is_left_out(judged: RunFolder) -> None:
    """The same schema version may hold more; that is no reason to refuse it."""
    edit(judged.result, lambda document: document["measurement"].update(moon_phase="full"))
    rebind(judged)
    data = read_report_data(judged)
    assert not any("anew" in line for line in data.missing_evidence)


def test_newer_schema_is_refused_with_its_number(judged: RunFolder) -> None:
    """A reader that could misread it refuses it."""
    edit(judged.result, lambda document: document.update(schema_version=RESULT_SCHEMA_VERSION + 1))
    with pytest.raises(
        EvidenceError, match=f"version {RESULT_SCHEMA_VERSION + 1}, this harness reads"
    ):
        read_report_data(judged)


def test_missing_parts_are_named(judged: RunFolder) -> None:
    """Logs, stack and environment may be missing; the report names them."""
    for path in (judged.histograms / "measure-lite-latency.hlog", judged.stack, judged.environment):
        path.unlink()
    rebind(judged)
    data = read_report_data(judged)
    missing = "\n".join(data.missing_evidence)
    for name in ("measure-lite-latency.hlog", "stack.json", "environment.json", "telemetry"):
        assert name in missing
    assert ("measure", "lite") not in {(log.phase, log.mode) for log in data.latency}
    assert data.stack == {}


def test_damaged_log_is_left_out_and_named(judged: RunFolder) -> None:
    """A torn log, or an edited one, is not that of the result."""
    path = judged.histograms / "measure-lite-latency.hlog"
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    data = read_report_data(judged)
    assert ("measure", "lite") not in {(log.phase, log.mode) for log in data.latency}
    assert any(
        "measure-lite-latency.hlog" in line and "changed" in line for line in data.missing_evidence
    )


def test_edited_result_is_not_believed(judged: RunFolder) -> None:
    """The evidence is judged again, and the report names the reason."""
    edit(judged.result, lambda document: document["judgement"].update(exit_code=1, verdict="FAIL"))
    data = read_report_data(judged)
    assert data.judgement.verdict is Verdict.PASS
    assert data.rejudged_reason == "result.json was changed after it was written"
    for text in (markdown(data), junit_xml(data), html_report(data)):
        assert "was changed after it was written" in text


def test_result_of_other_evidence_is_not_believed(judged: RunFolder) -> None:
    """One that was judged before a file was changed."""
    edit(judged.run, lambda document: document.update(load_end_ns=1))
    data = read_report_data(judged)
    assert (
        data.rejudged_reason
        == "result.json was judged from evidence that differs from that in the folder now"
    )
    assert data.judgement.verdict is Verdict.INVALID


def test_telemetry_counts_from_the_start_of_the_run(judged: RunFolder) -> None:
    """A sample two seconds after t0 has the time 2 s."""
    lines = [
        {"kind": "start", "mono_ns": T0_NS, "every_ns": S},
        {"kind": "columns", "of": "host", "first": 0, "columns": [["host.busy_cores", "level"]]},
        {"kind": "look", "of": "host", "mono_ns": T0_NS + 2 * S, "values": [1.5]},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    judged.telemetry.write_text(text, encoding="utf-8")
    telemetry = read_report_data(judged).telemetry
    assert telemetry.time_series["host.busy_cores"].at_s == (2.0,)
    assert not any("telemetry" in line for line in read_report_data(judged).missing_evidence)


@pytest.mark.parametrize(
    ("stack", "rest"),
    [
        ({}, ""),
        ({"kind": "process"}, ""),
        ({"kind": "docker", "image_set": "upstream"}, " --stack docker --images upstream"),
        ({"kind": "attach"}, " --stack attach --contract FILE"),
    ],
)
def test_command_asks_the_same_question(stack: dict[str, Any], rest: str, tmp_path: Path) -> None:
    """The folder's own scenario holds overrides and seed; the stack's kind is an option."""
    folder = RunFolder(tmp_path / "a run")
    assert command_of(folder, stack) == f"harness run '{folder.scenario}'{rest}"
