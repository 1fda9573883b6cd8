"""The scripts of CI jobs, with a command that only records how it was called."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from harness.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "ci" / "run.sh"
STAND_IN = Path(__file__).parent / "harness_stand_in.sh"
KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----"
# Ends of an argument and of a call in the recorded calls.
UNIT, RECORD = "\x1f", "\x1e"
# Calls of a sign-off.
SIGNOFF = ("signoff", "signoff-verify", "signoff-sign")


@dataclass(frozen=True)
class Job:
    """How a job ended, and what it left."""

    code: int
    output: str
    folder: Path

    @property
    def summary(self) -> str:
        """What the page of the job shows."""
        return (self.folder / "step-summary.md").read_text(encoding="utf-8")

    @property
    def outputs(self) -> dict[str, str]:
        """Outputs of the step."""
        text = (self.folder / "step-output").read_text(encoding="utf-8")
        return dict(line.split("=", 1) for line in text.splitlines())

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call of the command."""
        path = self.folder / "calls"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [call.split(UNIT)[:-1] for call in text.split(RECORD)[:-1]]

    def call(self, *command: str) -> list[str]:
        """The arguments of the only call of a command, without its name."""
        (found,) = [call for call in self.calls if call[: len(command)] == list(command)]
        return found[len(command) :]

    def environment(self, command: str) -> str:
        """The environment that the command was called with."""
        return (self.folder / f"environment-{command}").read_text(encoding="utf-8")


def run_job(
    folder: Path, mode: str, environment: Mapping[str, str] | None = None, *, shell: str = "sh"
) -> Job:
    """A job on GitHub, with the stand-in for the command."""
    program = shutil.which(shell)
    assert program
    done = subprocess.run(
        [program, str(RUN)],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "LOAD_HARNESS": str(STAND_IN),
            "LOAD_MODE": mode,
            "LOAD_STACK": "docker",
            "GITHUB_STEP_SUMMARY": str(folder / "step-summary.md"),
            "GITHUB_OUTPUT": str(folder / "step-output"),
            "RECORD_IN": str(folder),
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return Job(done.returncode, done.stdout + done.stderr, folder)


COMPARE = {"LOAD_BASE": "base.toml", "LOAD_NEW": "new.toml"}
VERDICTS = {
    "nightly": {
        0: "PASS",
        1: "FAIL",
        2: "WRONG USAGE",
        3: "INCONCLUSIVE",
        4: "INVALID",
        5: "STACK NOT AVAILABLE",
        130: "INTERRUPTED",
    },
    "compare": {
        0: "NOT SLOWER",
        1: "SLOWER",
        2: "WRONG USAGE",
        3: "CANNOT TELL",
        4: "INVALID",
        5: "STACK NOT AVAILABLE",
        130: "INTERRUPTED",
    },
    "signoff": {
        0: "SIGNED OFF",
        1: "NOT SIGNED OFF",
        2: "WRONG USAGE",
        3: "INDICATIVE OR UNKNOWN",
        4: "NOT COMPLETED",
        130: "NOT COMPLETED",
    },
}
WARNINGS = {"nightly": {3, 4, 5}, "compare": {3, 4}, "signoff": {3}}
CASES = [(mode, code) for mode, codes in VERDICTS.items() for code in codes]


@pytest.mark.parametrize(("mode", "code"), CASES)
def test_exit_code_is_kept(mode: str, code: int, tmp_path: Path) -> None:
    """And becomes an output with its verdict."""
    job = run_job(tmp_path, mode, {**COMPARE, "RUN_CODE": str(code)})
    assert job.code == code, job.output
    assert job.outputs == {"exit-code": str(code), "verdict": VERDICTS[mode][code]}


@pytest.mark.parametrize(("mode", "code"), CASES)
def test_only_what_says_nothing_of_the_system_is_a_warning(
    mode: str, code: int, tmp_path: Path
) -> None:
    """FAIL, wrong usage, and what does not start in a pull request are red."""
    environment = {**COMPARE, "RUN_CODE": str(code), "LOAD_UNDECIDED": "warn"}
    job = run_job(tmp_path, mode, environment)
    is_warning = code in WARNINGS[mode]
    assert job.code == (0 if is_warning else code)
    assert ("::warning" in job.output) == is_warning


@pytest.mark.parametrize("code", [0, 1])
def test_verdict_change_and_picture_are_first(code: int, tmp_path: Path) -> None:
    """Of a night; what the harness itself prints follows, open where the job is red."""
    job = run_job(tmp_path, "nightly", {"RUN_CODE": str(code)})
    parts = [
        f"## {VERDICTS['nightly'][code]}: `scenarios/nightly-100.toml`",
        "drawn as --markdown",
        "<details open>" if code else "<details>",
        "summary of run",
    ]
    places = [job.summary.index(part) for part in parts]
    assert places[0] == 0
    assert places == sorted(places)
    assert (tmp_path / "load-test" / "trend.svg").exists()


def test_a_comparison_begins_with_its_own_summary(tmp_path: Path) -> None:
    """Which has verdict and change; the history of the base follows."""
    history = tmp_path / "load-test" / "history.jsonl"
    history.parent.mkdir()
    history.write_text("{}\n", encoding="utf-8")
    job = run_job(tmp_path, "compare", {**COMPARE, "RUN_CODE": "1"})
    assert job.summary.startswith("## comparison")
    assert "drawn as --markdown" in job.summary


def test_a_comparison_that_failed_shows_no_earlier_one(tmp_path: Path) -> None:
    """A folder that is used again has the last summary."""
    run_job(tmp_path, "compare", COMPARE)
    job = run_job(tmp_path, "compare", {**COMPARE, "RUN_CODE": "2"})
    assert job.summary.rpartition("## ")[2].startswith("WRONG USAGE")


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_any_shell_will_do(shell: str, tmp_path: Path) -> None:
    """The image of a job may have no bash."""
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    job = run_job(tmp_path, "nightly", {"LOAD_IMAGES": "engine=a:1\nredis=b:2"}, shell=shell)
    assert job.code == 0, job.output
    call = job.call("run")
    assert [call[at + 1] for at, word in enumerate(call) if word == "--image"] == [
        "engine=a:1",
        "redis=b:2",
    ]


def test_without_github_the_summary_is_in_the_log(tmp_path: Path) -> None:
    """GitLab has no page of a job."""
    job = run_job(tmp_path, "nightly", {"GITHUB_STEP_SUMMARY": "", "GITHUB_OUTPUT": ""})
    assert job.code == 0
    assert "## PASS" in job.output


HOSTILE = "a b'\"; touch executed; $(touch executed) `touch executed` ${{ x }} --help\\"


@pytest.mark.parametrize("mode", list(VERDICTS))
def test_a_setting_is_one_argument_and_never_shell_text(mode: str, tmp_path: Path) -> None:
    """Whatever characters it has."""
    names = ("SCENARIO", "POLICY", "BASE", "NEW", "RUNS", "IMAGES", "OUT")
    environment = {f"LOAD_{name}": HOSTILE for name in names}
    if mode != "compare":
        environment["LOAD_CONTRACT"] = HOSTILE
    job = run_job(tmp_path, mode, environment)
    assert job.code == 0, job.output
    first = {"nightly": "run", "compare": "compare", "signoff": "signoff"}[mode]
    call = next(call for call in job.calls if call[0] == first)
    assert HOSTILE in call
    assert call[call.index("--image") + 1] == HOSTILE
    assert not list(tmp_path.rglob("executed"))
    title = job.summary.splitlines()[0]
    assert not set(title) & set("'\";$({\\")


def test_a_history_that_cannot_be_drawn_changes_no_verdict(tmp_path: Path) -> None:
    """Neither does a missing page over all runs."""
    job = run_job(tmp_path, "nightly", {"TREND_CODE": "2", "SITE_CODE": "2"})
    assert job.code == 0
    assert job.output.count("warning:") == 2
    assert job.summary.startswith("## PASS")


def test_a_night_that_failed_is_in_the_history(tmp_path: Path) -> None:
    """The file is where the cache saves it."""
    job = run_job(tmp_path, "nightly", {"RUN_CODE": "1"})
    call = job.call("run")
    assert call[call.index("--history") + 1] == "load-test/history.jsonl"
    assert (tmp_path / "load-test" / "history.jsonl").stat().st_size


@pytest.mark.parametrize(
    ("environment", "commit"),
    [
        ({"GITHUB_SHA": "aaa"}, "aaa"),
        ({"CI_COMMIT_SHA": "bbb"}, "bbb"),
        ({"GITHUB_SHA": "aaa", "HARNESS_COMMIT": "ccc"}, "ccc"),
    ],
)
def test_the_history_names_the_tested_commit(
    environment: dict[str, str], commit: str, tmp_path: Path
) -> None:
    """That of the pipeline, unless it says what is deployed."""
    job = run_job(tmp_path, "nightly", environment)
    assert f"HARNESS_COMMIT={commit}" in job.environment("run").splitlines()


def test_a_file_of_the_harness_is_named_from_any_folder(tmp_path: Path) -> None:
    """And one of the pipeline's own repository comes first."""
    job = run_job(tmp_path, "nightly", {"LOAD_SCENARIO": "scenarios/smoke.toml"})
    assert (tmp_path / job.call("run")[0]).samefile(ROOT / "scenarios" / "smoke.toml")
    own = tmp_path / "own" / "scenarios" / "smoke.toml"
    own.parent.mkdir(parents=True)
    own.touch()
    job = run_job(own.parents[1], "nightly", {"LOAD_SCENARIO": "scenarios/smoke.toml"})
    assert job.call("run")[0] == "scenarios/smoke.toml"


@pytest.mark.parametrize(
    ("mode", "environment"),
    [
        ("nightly", {"LOAD_STACK": ""}),
        ("nightly", {"LOAD_STACK": "kubernetes"}),
        ("nightly", {"LOAD_UNDECIDED": "ignore"}),
        ("../nightly", {}),
        ("", {}),
        ("compare", {}),
        ("compare", {**COMPARE, "LOAD_CONTRACT": "c.toml"}),
    ],
)
def test_wrong_settings_are_refused(mode: str, environment: dict[str, str], tmp_path: Path) -> None:
    """Before anything runs: above all a job that does not say which system it tests."""
    job = run_job(tmp_path, mode, {"LOAD_UNDECIDED": "warn", **environment})
    assert job.code == 2
    assert "hint:" in job.output
    assert not job.calls


def test_a_large_summary_is_cut(tmp_path: Path) -> None:
    """GitHub shows none of one above 1 MiB."""
    job = run_job(tmp_path, "nightly", {"SUMMARY_BYTES": "1500000"})
    assert job.code == 0
    assert len(job.summary.encode()) == 1_000_000
    assert (tmp_path / "load-test" / "summary.md").stat().st_size > 1_500_000


def test_the_key_is_only_where_it_signs(tmp_path: Path) -> None:
    """In a private file during one call: in no argument, and in no other environment or file."""
    password = {"HARNESS_SIGNOFF_PASSWORD": "of-the-key"}
    given = {"LOAD_SIGNING_KEY": KEY, "RUNNER_TEMP": str(tmp_path), **password}
    job = run_job(tmp_path, "signoff", given)
    assert job.code == 0, job.output
    call = job.call("signoff", "sign")
    key_file = Path(call[call.index("--key") + 1])
    assert key_file.parent == tmp_path
    assert not key_file.exists()
    assert (tmp_path / "key-seen").read_text(encoding="utf-8").splitlines() == [
        "600",
        *KEY.splitlines(),
    ]
    (tmp_path / "key-seen").unlink()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or "PRIVATE KEY" not in path.read_text(encoding="utf-8")
    assert "PRIVATE KEY" not in job.output
    with_password = [name for name in SIGNOFF if "of-the-key" in job.environment(name)]
    assert with_password == ["signoff-sign"]


@pytest.mark.parametrize(
    "environment",
    [{"VERIFY_CODE": "1"}, {"SIGN_CODE": "2"}, {"NO_ARCHIVE": "1"}],
    ids=lambda one: next(iter(one)),
)
def test_without_a_verified_and_signed_archive_there_is_no_sign_off(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Although the command itself ended with 0."""
    job = run_job(tmp_path, "signoff", {"LOAD_SIGNING_KEY": KEY, **environment})
    assert job.code == 1
    assert job.outputs["verdict"] == "NOT SIGNED OFF"


def test_what_is_not_signed_off_is_not_signed(tmp_path: Path) -> None:
    """Its archive is verified and kept all the same."""
    job = run_job(tmp_path, "signoff", {"LOAD_SIGNING_KEY": KEY, "RUN_CODE": "1"})
    assert job.code == 1
    assert job.call("signoff", "verify")
    assert not [call for call in job.calls if call[:2] == ["signoff", "sign"]]
    assert "    verified: " in job.summary


@pytest.mark.parametrize("mode", list(VERDICTS))
def test_commands_and_options_are_there(mode: str, tmp_path: Path) -> None:
    """As the command line itself reads them."""
    job = run_job(tmp_path, mode, {**COMPARE, "LOAD_SIGNING_KEY": KEY})
    group = typer.main.get_command(app)
    for call in job.calls:
        parse(group, call)


def parse(group: object, words: list[str]) -> None:
    """Read the words of a call, as the command does before it runs."""
    command = getattr(group, "commands", {}).get(words[0])
    assert command is not None, words
    command.make_context(words[0], words[1:])


def test_images_of_a_comparison_are_settings(tmp_path: Path) -> None:
    """The script of the examples writes the file of each side."""
    script = ROOT / "examples" / "ci" / "images.sh"
    subprocess.run(
        ["sh", str(script)],  # noqa: S607 - the one on the path, as in CI
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "BASE": "r/engine:1", "NEW": "r/engine:2"},
        check=True,
    )
    base = (tmp_path / "load" / "base.toml").read_text(encoding="utf-8")
    assert base == 'image = ["engine=r/engine:1"]\n'
