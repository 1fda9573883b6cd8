"""The run's folder: what is written there comes back, and errors of the disk are reported."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.contract.names import Contract
from harness.errors import EvidenceError, UsageError
from harness.evidence.atomic_files import SCHEMA_VERSION
from harness.evidence.disk_reserve import DiskReserve
from harness.evidence.run_folder import RunFolder
from harness.scenario import Load, Phase, Scenario, Signals, Stage, load_scenario
from harness.schedule.plan import SwarmPlan

TOMLS = sorted((Path(__file__).resolve().parents[2] / "scenarios").rglob("*.toml"))
# The others are experiments over levels, and policies of sign-offs.
OTHERS = ("[experiment]", "[policy]")
SCENARIOS = [
    path for path in TOMLS if not any(one in path.read_text(encoding="utf-8") for one in OTHERS)
]
# 2026-11-23 20:48:15 UTC
WALL_NS = 1_795_466_895 * 10**9


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A new run's folder."""
    return RunFolder.create(tmp_path / "reports", "smoke", WALL_NS)


def swarm_plan(folder: RunFolder) -> SwarmPlan:
    """A plan with a password in it."""
    return SwarmPlan(
        run_tag=5,
        seed=9,
        t0_ns=123,
        load=Load(
            warmup_s=2.0,
            stages=(Stage(agents=3, rate_from=10.0, rate_to=20.0, duration_s=5.0),),
        ),
        signals=Signals(full_share=0.25),
        contract=Contract(prefix="staging:"),
        redis_url=SecretStr("redis://:hunter2@127.0.0.1/0"),
        folder=folder.journal,
    )


def test_run_id_has_time_and_name(folder: RunFolder) -> None:
    """UTC time, scenario name, and four digits that keep two runs of one second apart."""
    assert re.fullmatch(r"20261123-204815-smoke-[0-9a-f]{4}", folder.run_id)
    assert folder.path.is_absolute()
    assert all(part.is_dir() for part in (folder.journal, folder.logs, folder.histograms))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_comes_back(path: Path, folder: RunFolder) -> None:
    """What is asked is stored so that the scenario reader reads the same."""
    scenario = load_scenario(path)
    folder.write_scenario(scenario)
    assert folder.read_scenario() == scenario


def test_scenario_with_awkward_text_comes_back(folder: RunFolder) -> None:
    """Quotes, backslashes, control characters and other alphabets survive."""
    scenario = Scenario(
        name="odd",
        about='"quoted" \\ back\tslash \x7f ünïcode 信号 \U0001f680',
        load=Load(stages=(Stage(agents=1, rate_from=1.0, rate_to=1.0, duration_s=9.0),)),
        objectives=("p99 < 500 ms", "max < 2 s"),
    )
    folder.write_scenario(scenario)
    assert folder.read_scenario() == scenario


def test_plan_comes_back_without_its_password(folder: RunFolder) -> None:
    """The stored plan has the schedule and no secret."""
    plan = swarm_plan(folder)
    folder.write_plan(plan)
    text = folder.plan.read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert "redis_url" not in text
    stored = folder.read_plan()
    assert (stored.run_tag, stored.seed, stored.t0_ns) == (5, 9, 123)
    assert (stored.load, stored.signals, stored.contract) == (
        plan.load,
        plan.signals,
        plan.contract,
    )
    document = json.loads(text)
    assert document["schema_version"] == SCHEMA_VERSION
    assert [stage["phase"] for stage in document["timeline"]] == [Phase.WARMUP, Phase.MEASURE]


def test_run_facts_come_back(folder: RunFolder) -> None:
    """Events keep their order, and the first of a kind is found."""
    events = [
        {"kind": kind, "what": "w", "mono_ns": mono_ns}
        for kind, mono_ns in (("swarm_died", 7), ("observer_died", 5), ("swarm_died", 3))
    ]
    folder.write_json(
        folder.run,
        {"t0_ns": 1, "observation_end_ns": 9, "drain_deadline_ns": 8, "events": events},
    )
    run = folder.read_run()
    assert [event.kind for event in run.events] == ["swarm_died", "observer_died", "swarm_died"]
    assert run.first_ns("swarm_died") == 3
    assert run.first_ns("interrupted") is None


def test_journal_files_are_in_the_order_of_processes(folder: RunFolder) -> None:
    """Process 10 comes after process 9, and what is no journal is left alone."""
    for name in ("attempts-10.bin", "attempts-9.bin", "acks-0.bin", "attempts-x.bin", "notes"):
        (folder.journal / name).touch()
    assert [path.name for path in folder.attempts()] == ["attempts-9.bin", "attempts-10.bin"]
    assert [path.name for path in folder.acks()] == ["acks-0.bin"]


def test_full_disk_is_an_error_and_the_old_file_stays(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No space left: an error with its place, no half-written file, no litter."""
    folder.write_json(folder.result, {"verdict": "PASS"})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EvidenceError, match="No space left on device") as caught:
        folder.write_json(folder.result, {"verdict": "FAIL"})
    assert caught.value.where == str(folder.result)
    assert "free space" in caught.value.hint
    assert folder.read_json(folder.result)["verdict"] == "PASS"
    assert [path.name for path in folder.path.iterdir() if path.is_file()] == ["result.json"]


def test_reports_that_cannot_be_made_are_an_error(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "reports").touch()
    with pytest.raises(EvidenceError, match="cannot create"):
        RunFolder.create(tmp_path / "reports", "smoke", WALL_NS)


def test_what_is_no_run_is_wrong_usage(tmp_path: Path) -> None:
    """Judging something else is the caller's mistake."""
    with pytest.raises(UsageError, match="no such folder"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="not the folder of a run"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is missing"),
        ("{", "is not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "schema version None"),
        ('{"schema_version": 99}', "schema version 99"),
        ('{"schema_version": 1, "t0_ns": "soon"}', "t0_ns: "),
        ("\udcff", "cannot read"),
    ],
)
def test_broken_evidence_is_an_error(folder: RunFolder, text: str | None, message: str) -> None:
    """Each cause for which stored JSON is unreadable has its own message and place."""
    if text is not None:
        folder.run.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(EvidenceError, match=message) as caught:
        folder.read_run()
    assert caught.value.where == str(folder.run)


def test_broken_scenario_is_broken_evidence(folder: RunFolder) -> None:
    """In a stored run a bad scenario is not the user's mistake any more."""
    with pytest.raises(EvidenceError, match="no such file"):
        folder.read_scenario()


def test_room_is_set_aside_without_a_trace(tmp_path: Path) -> None:
    """The reserve has no name, so that no file remains, and may be released twice."""
    with DiskReserve(tmp_path) as reserve:
        assert list(tmp_path.iterdir()) == []
        reserve.release()
    reserve.release()


def test_disk_without_room_is_an_error_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full already ends the run before it begins."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(EvidenceError, match="cannot reserve space: No space left on device"):
        DiskReserve(tmp_path)


def test_two_runs_of_one_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digits that are in use are drawn again, a bounded number of times."""
    drawn = iter(["aaaa", "aaaa", "bbbb", *["aaaa"] * 40])
    monkeypatch.setattr("harness.evidence.new_folder.secrets.token_hex", lambda _: next(drawn))
    ids = [RunFolder.create(tmp_path, "smoke", WALL_NS).run_id[-4:] for _ in range(2)]
    assert ids == ["aaaa", "bbbb"]
    with pytest.raises(EvidenceError, match="cannot create"):
        RunFolder.create(tmp_path, "smoke", WALL_NS)
