"""The diagnosis is stored with the judgement and never changes it, crash or not."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.assessment.assess import assess, assess_and_store
from harness.cli.console import make_console
from harness.cli.judge import diagnose_folder
from harness.diagnosis.answers import Answer, Diagnosis
from harness.errors import UsageError
from harness.evidence.manifest import write_manifest
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from harness.report.diagnosis import render_diagnosis, render_short
from tests.unit.analysis.evidence import T0_NS, healthy, load_of
from tests.unit.diagnosis.diagnosis_cases import SLOW, changed, diagnosed, facts, in_slow, track
from tests.unit.judge.test_judgement import constant


def stored(folder: RunFolder) -> object:
    """The diagnosis in a stored result."""
    assess_and_store(folder)
    return json.loads(folder.result.read_text(encoding="utf-8"))["diagnosis"]


def text_of(diagnosis: Diagnosis, *, short: bool) -> str:
    """As printed."""
    file = StringIO()
    path = Path("/reports/one")
    shown = render_short(diagnosis, path) if short else render_diagnosis(diagnosis, "one")
    Console(file=file, width=120).print(shown)
    return file.getvalue()


def busy_engine(seconds: int) -> str:
    """Telemetry of an engine at 95 % of its quota, as a run writes it."""
    start = {"kind": "start", "mono_ns": T0_NS, "every_ns": 10**9}
    columns = [["service.engine.cpu_cores", "level"]]
    name = {"kind": "columns", "of": "engine", "first": 0, "columns": columns}
    limit = {"kind": "limit", "track": columns[0][0], "value": 4.0, "source": "cgroup"}
    samples = [
        {"kind": "look", "of": "engine", "mono_ns": T0_NS + n * 10**9, "values": [3.8]}
        for n in range(seconds)
    ]
    return "".join(json.dumps(line) + "\n" for line in (start, name, limit, *samples))


def test_quick_run_has_none_and_a_slow_one_has_one(tmp_path: Path) -> None:
    """Null in the result of a fast one."""
    assert stored(healthy(load_of()).write(tmp_path)) is None
    slow = stored(healthy(load_of(), delays=constant(600)).write(tmp_path))
    found = Diagnosis.model_validate_json(json.dumps(slow))
    assert found.because.startswith("p99 < 500 ms: 60")
    assert {question.answer for question in found.questions} == {Answer.UNKNOWN}
    assert found.stages
    assert found.slow[0].start_s == pytest.approx(1, abs=0.1)


def test_stored_telemetry_is_read(tmp_path: Path) -> None:
    """Twice the same, from the folder alone."""
    folder = healthy(load_of(), delays=constant(600)).write(tmp_path)
    folder.telemetry.write_text(busy_engine(30), encoding="utf-8")
    write_manifest(folder)
    found = assess(folder).diagnosis
    assert found is not None
    assert found.headline is not None
    evidence = found.questions[0].evidence[0]
    assert evidence.track == "service.engine.cpu_cores"
    assert evidence.value == pytest.approx(3.8)
    assert assess(folder).diagnosis == found


@pytest.mark.parametrize(
    "place",
    ["harness.diagnosis.diagnose.find_trigger", "harness.diagnosis.diagnose.describe_stages"],
)
def test_crash_is_reported_and_changes_no_verdict(tmp_path: Path, place: str) -> None:
    """Whatever fails in it, verdict and checks are those of a run without it."""
    folder = healthy(load_of(), delays=constant(600)).write(tmp_path)
    sound = assess(folder)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("made up")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, broken)
        found = assess_and_store(folder)
    assert found.judgement == sound.judgement
    assert found.judgement.verdict is Verdict.FAIL
    assert found.diagnosis is not None
    assert found.diagnosis.failed == "the diagnosis crashed: ZeroDivisionError: made up"
    document = json.loads(folder.result.read_text(encoding="utf-8"))["diagnosis"]
    assert document["failed"] == found.diagnosis.failed
    assert "crashed" in text_of(found.diagnosis, short=True)
    assert "crashed" in text_of(found.diagnosis, short=False)


def test_terminal_shows_headline_and_a_line_each() -> None:
    """Evidence, advice and remarks only in the long form."""
    cpu = track("service.engine.cpu_cores", in_slow(3.7, 1.0), 4.0, "cgroup")
    rewrite = track("redis.aof_rewrite_count", in_slow(1, 0))
    found = diagnosed(facts(*changed(cpu, rewrite), slow=SLOW))
    short, long = text_of(found, short=True), text_of(found, short=False)
    assert short.count(" NO ") == 4
    assert found.headline is not None
    assert short.index(found.headline[:40]) < short.index("YES")
    assert "harness diagnose /reports/one" in short
    assert "correlation with latency +0." in long
    assert found.questions[0].advice[:40] in long
    assert found.remarks[0].message[:40] in long


def test_on_demand_prints_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of a run that meets its objectives."""
    folder = healthy(load_of()).write(tmp_path)
    before = sorted(folder.path.rglob("*"))
    diagnose_folder(folder.path, make_console())
    assert "on demand" in capsys.readouterr().out
    assert sorted(folder.path.rglob("*")) == before
    with pytest.raises(UsageError):
        diagnose_folder(tmp_path / "nowhere", make_console())
