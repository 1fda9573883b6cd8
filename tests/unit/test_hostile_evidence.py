"""Hostile evidence: refused with an error, without a wait, and no link is followed.

`python -m tests.fuzz` runs the commands themselves on every case and prints time and memory.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness import safe_open
from harness.analysis.histogram_encoding import decode
from harness.assessment.assess import assess, assess_and_store
from harness.cli.app import app
from harness.errors import EvidenceError, Exit, HarnessError
from harness.evidence import atomic_files
from harness.evidence.group_folder import GroupFolder, GroupProgress
from harness.evidence.manifest import verify_manifest, write_manifest
from harness.evidence.run_folder import RunFolder
from harness.evidence.strict_json import loads
from harness.judge.verdict import Verdict
from harness.report.data import read_report_data
from harness.report.samples import write_csv
from harness.safe_open import RefusedError, iter_lines, read_regular
from harness.scenario import Load, Stage, load_scenario
from tests.fuzz.hostile import CASES, bomb
from tests.studies.mutations.documents import (
    add_event,
    count_restarts,
    count_restarts_attached,
    delete_event,
    delete_everywhere,
    end_swarm_with_error,
)
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.judge.assessing import unclean

pytestmark = pytest.mark.timeout(60)

SMOKE = Path(__file__).resolve().parents[2] / "scenarios" / "smoke.toml"
# Cases in which the evidence itself is whole, and what the judge then says.
WHOLE = {
    "result.json links out": Verdict.PASS,
    "4000 links for drafts": Verdict.PASS,
    "result.json is a pipe": Verdict.PASS,
    "hlog bomb": Verdict.PASS,
    "bomb in result.json": Verdict.PASS,
    "result.json 100,000 deep": Verdict.PASS,
    "verdict edited": Verdict.PASS,
    "lines 100,000 deep": Verdict.INVALID,
    "record cut short": Verdict.FAIL,
    "escapes in an event": Verdict.INVALID,
}
# Beyond a limit, or no regular file: that is no damage, and is refused as wrong usage is.
REFUSED = ("links out", "is a link", "pipe", "socket", "1 TB", "64 MB", "deep", "digits", "1e999")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that was judged."""
    folder = healthy(load_of(agents=4, rate=60.0, duration_s=10.0)).write(
        tmp_path_factory.mktemp("stored")
    )
    assess_and_store(folder)
    return folder


@pytest.fixture
def run(stored: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the test's own."""
    place = tmp_path / "reports" / stored.run_id
    return RunFolder(Path(shutil.copytree(stored.path, place)))


@pytest.mark.parametrize("name", CASES)
def test_hostile_evidence_is_judged_or_refused(name: str, run: RunFolder) -> None:
    """A verdict where the evidence is whole, else an error that names the file."""
    CASES[name](run)
    if name in WHOLE:
        assert assess_and_store(run).judgement.verdict is WHOLE[name]
        return
    with pytest.raises(HarnessError) as caught:
        assess_and_store(run)
    assert str(run.path) in caught.value.where
    if any(word in name for word in REFUSED):
        assert caught.value.exit_code is Exit.USAGE


@pytest.mark.parametrize("command", ["judge", "report", "trend", "watch"])
@pytest.mark.parametrize("name", ["result.json is a pipe", "plan.json links out", "verdict edited"])
def test_commands_say_what_is_wrong(name: str, command: str, run: RunFolder) -> None:
    """Not one of them prints what an edited result says, or what a link leads to."""
    CASES[name](run)
    target = run.path.parent if command == "trend" else run.path
    done = CliRunner().invoke(app, [command, str(target)])
    said = done.output + str(done.exception or "")
    assert "the reader's own file" not in said
    if name == "verdict edited" and command in ("trend", "watch"):
        assert "NOT VERIFIED" in said
        assert "FAIL " not in said
    elif name == "verdict edited":
        assert done.exit_code == 0
    elif (name, command) != ("result.json is a pipe", "judge"):
        assert isinstance(done.exception, HarnessError)
        assert done.exception.exit_code is Exit.USAGE


def test_drafts_are_written_through_no_link(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the name of the draft is known, nor into a folder that is a link."""
    victim = run.path.parent / "victim"
    victim.write_text("keep me", encoding="utf-8")
    monkeypatch.setattr(secrets, "token_hex", lambda _: "known")
    (run.path / ".result.json.known").symlink_to(victim)
    with pytest.raises(EvidenceError, match="File exists"):
        atomic_files.write_text(run.result, "other")
    (run.path / ".result.json.known").unlink(missing_ok=True)
    run.result.unlink()
    run.result.symlink_to(victim)
    atomic_files.write_text(run.result, "other")
    assert not run.result.is_symlink()
    away = run.path.parent / "away"
    run.histograms.rename(away)
    run.histograms.symlink_to(away)
    before = {path.name: path.read_bytes() for path in away.iterdir()}
    with pytest.raises(RefusedError, match="symbolic link"):
        atomic_files.write_text(run.histograms / "measure-lite-latency.hlog", "other")
    assert {path.name: path.read_bytes() for path in away.iterdir()} == before
    assert victim.read_text(encoding="utf-8") == "keep me"


def test_sheets_are_written_through_no_link(run: RunFolder) -> None:
    """A folder for CSV may have been sent along."""
    victim = run.path.parent / "victim"
    victim.write_text("keep me", encoding="utf-8")
    target = run.path / "csv"
    target.mkdir()
    for name in ("samples.csv.gz", "telemetry.csv"):
        (target / name).symlink_to(victim)
    run.telemetry.write_text('{"kind": "start", "mono_ns": 1, "every_ns": 5}\n', encoding="utf-8")
    written = write_csv(read_report_data(run), target)
    assert {path.name for path in written} == {"samples.csv.gz", "telemetry.csv"}
    assert not any(path.is_symlink() for path in written)
    assert victim.read_text(encoding="utf-8") == "keep me"


def test_draft_that_is_in_the_way_is_left_alone(run: RunFolder) -> None:
    """A link that was planted under the draft's name is not removed for somebody else's target."""
    planted = run.path / ".seal.json.planted"
    planted.symlink_to("/nowhere")
    atomic_files.write_text(run.seal, "{}")
    assert planted.is_symlink()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 65 + "]" * 65, "nested more than 64 deep"),
        ('{"a": ["[[[["], "b": "' + '\\"[' * 70 + '"}', ""),
        ('"' + '\\"' * 100_000, "Unterminated"),
        ("[" * 100_000, "nested"),
        (str(2**63), "more than 64 bits"),
        (str(-(2**63)), "more than 64 bits"),
        (str(2**63 - 1), ""),
        ("9" * 1_000_000, "1,000,000 digits"),
        ("1e999", "beyond the range"),
        ("-Infinity", "no JSON number"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' is repeated"),
    ],
    ids=range(11),
)
def test_json_that_no_run_writes_is_refused(text: str, message: str) -> None:
    """What stands within a text is text, and the largest number of 64 bits is one."""
    if message:
        with pytest.raises(ValueError, match=message):
            loads(text)
    else:
        assert loads(text) == json.loads(text)


def test_limits_are_reported_with_file_and_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file and of a line."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 101)
    with pytest.raises(RefusedError, match=r"file: has 101 bytes; the limit is 100 bytes"):
        read_regular(path, 100)
    monkeypatch.setattr(safe_open, "LINE_BYTES_MAX", 50)
    with pytest.raises(RefusedError, match=r"file: line 1 has more than 50 bytes"):
        list(iter_lines(path))
    path.write_bytes(b"one\r\n\xff\n")
    with pytest.raises(EvidenceError, match="line 2 is no UTF-8"):
        list(iter_lines(path))


def test_bomb_is_not_unpacked() -> None:
    """What unpacks to more than a histogram of ours has, or says that it is larger."""
    with pytest.raises(EvidenceError, match="unpacks to more than 221,224 bytes"):
        decode(bomb(1_000_000))


def test_user_may_name_a_link(tmp_path: Path) -> None:
    """A scenario of one's own may lie elsewhere; a pipe would be waited for."""
    link = tmp_path / "mine.toml"
    link.symlink_to(SMOKE)
    assert load_scenario(link) == load_scenario(SMOKE)
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(HarnessError, match="is a named pipe"):
        load_scenario(tmp_path / "pipe.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_from": 1e6, "rate_to": 1e6, "duration_s": 201.0}, "signals are more than"),
        ({"agents": 4_000, "repeat": 251}, "schedules, more than"),
    ],
)
def test_plan_that_nobody_can_judge_is_refused(change: dict[str, float], message: str) -> None:
    """Each signal's time is made anew by the judge."""
    repeat = int(change.pop("repeat", 1))
    stage = {"agents": 5, "rate_from": 10.0, "rate_to": 10.0, "duration_s": 20.0, **change}
    with pytest.raises(ValueError, match=message):
        Load(stages=(Stage.model_validate(stage),), repeat=repeat)


def test_records_beyond_the_plan_are_refused(run: RunFolder) -> None:
    """A sparse file costs its sender nothing, and its reader hours."""
    with run.sightings.open("r+b") as file:
        file.truncate(2 << 30)
    with pytest.raises(RefusedError, match="for a plan of 660 signals; the limit is"):
        assess(run)


def test_evidence_that_was_added_shows(run: RunFolder) -> None:
    """Telemetry of another run may excuse this one; notes of a person do not."""
    (run.path / "notes.txt").write_text("slow on Monday", encoding="utf-8")
    assert verify_manifest(run).added == ()
    assert not read_report_data(run).rejudged_reason
    run.telemetry.write_text("", encoding="utf-8")
    assert verify_manifest(run).added == ("telemetry.jsonl",)


def test_runs_of_a_group_lie_in_it(run: RunFolder) -> None:
    """A link to a run elsewhere is none."""
    group = GroupFolder(run.path.parent)
    group.write(GroupProgress(seeds=(1,), runs=("linked",)))
    (group.path / "linked").symlink_to(run.path)
    with pytest.raises(HarnessError, match="missing"):
        group.run_path("linked")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (delete_event, "events.jsonl has undecided, and run.json does not"),
        (add_event, "run.json has interrupted, and events.jsonl does not"),
        (delete_everywhere, "events.jsonl is missing"),
        (count_restarts, "stack.json counts 2 restarts of engine, run.json has none"),
        (
            count_restarts_attached,
            "counts 1 restart of postgres, run.json has none",
        ),
        (end_swarm_with_error, "swarm process 0 ended with 'MemoryError', run.json has none"),
    ],
)
def test_files_that_disagree_are_invalid_sealed_anew_or_not(
    tamper: Callable[[RunFolder], None], said: str, tmp_path: Path
) -> None:
    """Whoever changes one file has to know what the others tell."""
    world: World = healthy()
    world.event("undecided")
    folder = world.write(tmp_path)
    assert assess(folder).judgement.verdict is Verdict.PASS
    tamper(folder)
    write_manifest(folder)
    found = assess(folder)
    assert Verdict.INVALID in unclean(found).values()
    assert any(said in check.message for check in found.judgement.checks)
