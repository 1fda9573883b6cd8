"""Whatever stands in a file, its reader ends with a value or with an error that says what is wrong.

A few examples each time. The long run: `FUZZ_EXAMPLES=1000 pytest tests/fuzz --hypothesis-seed=N`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.analysis.histogram_encoding import read_histogram_log
from harness.assessment.assess import assess_and_store, assess_with_analysis
from harness.clock import ManualClock
from harness.errors import HarnessError
from harness.evidence.manifest import evidence_digests, write_manifest
from harness.evidence.result_digests import with_digests
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from harness.report.data import read_report_data
from harness.report.junit import junit_xml
from harness.report.markdown import markdown
from harness.run.live.folder_source import FolderSource
from harness.scenario import load_scenario
from harness.stack.attach.contract_file import load_attach_file
from harness.stack.compose_file import read_compose
from tests.fuzz.mutations import spoiled, spoiled_bytes, spoiled_text
from tests.unit.analysis.evidence import healthy, load_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EVIDENCE = (
    *("plan.json", "run.json", "stack.json", "environment.json", "observer.json", "final.json"),
    *("metrics.json", "seal.json", "scenario.toml", "clock.jsonl", "vitals.jsonl", "swarm.jsonl"),
    *("observer.jsonl", "redis.jsonl", "events.jsonl", "sightings.bin", "reads.bin"),
    *("journal/attempts-0.bin", "journal/acks-0.bin", "final-tasks.bin", "final-ledger.bin"),
    *("final-bookings.bin", "final-stamps.bin"),
)
FOLLOWED = ("plan.json", "run.json", "swarm.jsonl", "events.jsonl", "journal/attempts-0.bin")
SCENARIOS = [path.relative_to(ROOT) for path in sorted((ROOT / "scenarios").rglob("*.toml"))[::4]]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A small run that was judged."""
    world = healthy(load_of(agents=2, rate=20.0, duration_s=3.0))
    world.event("decided")
    folder = world.write(tmp_path_factory.mktemp("stored"))
    assess_and_store(folder)
    return folder


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@contextmanager
def refused_in_words(secret: str = "") -> Iterator[None]:
    """What is not read is refused with a sentence, which repeats no secret."""
    try:
        yield
    except HarnessError as error:
        said = str(error)
        if not error.what or (secret and secret in said):
            raise AssertionError(f"no message, or one with a secret: {said}") from error


def spoil(stored: RunFolder, name: str, data: bytes, tmp_path: Path) -> RunFolder:
    """A copy with one file spoiled."""
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    copy = RunFolder(Path(shutil.copytree(stored.path, tmp_path / "run")))
    (copy.path / name).write_bytes(data)
    return copy


@pytest.mark.parametrize("name", EVIDENCE)
def test_any_evidence_is_judged_or_refused(name: str, stored: RunFolder, tmp_path: Path) -> None:
    """With its seal it never passes; sealed anew it is judged, or refused in words."""
    before = (stored.path / name).read_bytes()

    @FUZZ
    @given(spoiled(stored.path / name))
    def check(data: bytes) -> None:
        run = spoil(stored, name, data, tmp_path)
        with refused_in_words():
            verdict = assess_with_analysis(run)[0].judgement.verdict
            assert verdict is not Verdict.PASS or data == before or name == "seal.json"
        with refused_in_words():
            write_manifest(run)
            assert assess_and_store(run).judgement.checks
            data_of = read_report_data(run)
            assert markdown(data_of)
            assert junit_xml(data_of)

    check()


@FUZZ
@given(st.data())
def test_any_result_is_reported_or_made_anew(
    stored: RunFolder, tmp_path: Path, data: st.DataObject
) -> None:
    """Bound to the evidence or not."""
    run = spoil(stored, "result.json", data.draw(spoiled(stored.result)), tmp_path)
    if data.draw(st.booleans()):
        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            document = json.loads(run.result.read_bytes())
            run.result.write_text(
                json.dumps(with_digests(document, evidence_digests(run))), encoding="utf-8"
            )
    with refused_in_words():
        found = read_report_data(run)
        assert markdown(found)
        assert junit_xml(found)


@FUZZ
@given(st.data())
def test_any_histogram_log_is_read_or_refused(stored: RunFolder, data: st.DataObject) -> None:
    """Line by line."""
    path = stored.histograms / "measure-lite-latency.hlog"
    text = data.draw(spoiled_bytes(path.read_bytes())).decode("utf-8", "replace")
    with refused_in_words():
        assert sum(one.histogram.count for one in read_histogram_log(text.splitlines())) >= 0


@pytest.mark.parametrize("name", FOLLOWED)
def test_any_growing_file_is_watched(name: str, stored: RunFolder, tmp_path: Path) -> None:
    """Status lines and events of a run that is under way."""

    @FUZZ
    @given(spoiled(stored.path / name))
    def check(data: bytes) -> None:
        run = spoil(stored, name, data, tmp_path)
        run.result.unlink()
        window = FolderSource(run, ManualClock(now_ns=1_010 * 10**9))
        with refused_in_words():
            window.poll()

    check()


@pytest.mark.parametrize("name", SCENARIOS, ids=str)
def test_any_scenario_is_read_or_refused(name: Path, tmp_path: Path) -> None:
    """One with faults, gates and all."""
    path = tmp_path / "scenario.toml"

    @FUZZ
    @given(spoiled(ROOT / name))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        with refused_in_words():
            assert load_scenario(path).load.timeline()

    check()


@FUZZ
@given(data=st.data())
def test_any_contract_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    """Its error repeats no password."""
    text = (ROOT / "examples" / "foreign" / "desk.toml").read_bytes()
    path = tmp_path / "contract.toml"
    path.write_bytes(data.draw(spoiled_text(text)) + b'\n[extra]\npassword = "hunter2"\n')
    with refused_in_words("hunter2"):
        assert load_attach_file(path).name


@FUZZ
@given(data=st.data())
def test_any_compose_file_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    """As somebody may have edited it."""
    path = tmp_path / "zone.yaml"
    path.write_bytes(data.draw(spoiled(ROOT / "compose" / "zone-a.yaml")))
    with refused_in_words():
        assert read_compose(path, dict.fromkeys(["TAG"], "x")).path == path
