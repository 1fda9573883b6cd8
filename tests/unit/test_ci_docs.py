"""The CI examples: they parse, and call commands, options and files that there are."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from harness.cli.app import app
from harness.errors import Exit

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
DOCUMENTS: dict[str, dict[str, Any]] = dict(
    zip(
        ("github", "gitlab"),
        (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)),
        strict=True,
    )
)


def scripts() -> Iterator[str]:
    """Every line that a shell is given."""
    for step in DOCUMENTS["github"]["jobs"]["load"]["steps"]:
        yield from step.get("run", "").splitlines()
    job = DOCUMENTS["gitlab"]["load-test"]
    yield from (*job["script"], *job["after_script"])


def calls() -> list[list[str]]:
    """The words of each call of the harness, up to what the shell does with it."""
    found = []
    for line in scripts():
        if "bin/harness" in line:
            words = re.split(r"\|\||>>|;", line.partition("bin/harness")[2])[0]
            found.append(shlex.split(words))
    return found


@pytest.mark.parametrize("words", calls(), ids=" ".join)
def test_commands_and_options_are_there(words: list[str]) -> None:
    """As the command line itself reads them; files that are named are in the repository."""
    commands = typer.main.get_command(app)
    command = commands.commands[words[0]]  # type: ignore[attr-defined]  # a group has them
    command.make_context(words[0], words[1:])
    for word in words[1:]:
        if word.startswith("scenarios/"):
            assert (ROOT / word).is_file()


def test_both_run_the_same() -> None:
    """Two systems, one question."""
    runs = [words for words in calls() if words[0] == "run"]
    assert len(runs) == 2
    assert runs[0] == runs[1]


def test_yellow_is_what_says_nothing_of_the_system() -> None:
    """FAIL and wrong usage are red in both."""
    yellow = {int(Exit.INCONCLUSIVE), int(Exit.INVALID), int(Exit.STACK)}
    assert set(DOCUMENTS["gitlab"]["load-test"]["allow_failure"]["exit_codes"]) == yellow
    (case,) = re.findall(r"^\s*([\d|]+)\) echo", TEXT, re.MULTILINE)
    assert {int(code) for code in case.split("|")} == yellow


def test_targets_of_make_are_there() -> None:
    """What is built before it is run."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    made = {words[1] for line in scripts() if (words := line.split())[:1] == ["make"]}
    assert made == {"env"}
    assert re.search(r"^env:", makefile, re.MULTILINE)


def step(name: str) -> str:
    """What a step of the GitHub job runs."""
    steps = DOCUMENTS["github"]["jobs"]["load"]["steps"]
    return str(next(own["run"] for own in steps if own.get("name") == name))


def run_step(script: str, folder: Path, exit_code: int) -> subprocess.CompletedProcess[str]:
    """A step as GitHub runs it, with a harness that only ends."""
    program = folder / ".venv" / "bin" / "harness"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "harness $*"\nexit {exit_code}\n', encoding="utf-8")
    program.chmod(0o755)
    names = {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    return subprocess.run(
        ["bash", "-e", "-c", script],  # noqa: S607 - the one on the path, as in CI
        cwd=folder,
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code", list(Exit))
def test_github_step_is_red_for_what_the_system_did(code: Exit, tmp_path: Path) -> None:
    """Every exit code, through the shell lines of the example."""
    done = run_step(step("Run"), tmp_path, int(code))
    red = code in (Exit.FAIL, Exit.USAGE)
    assert done.returncode == (int(code) if red else 0)
    assert ("::warning" in done.stdout) == (not red and code is not Exit.PASS)
    assert (tmp_path / "GITHUB_OUTPUT").read_text(encoding="utf-8") == f"code={int(code)}\n"


def test_trend_keeps_what_it_needs(tmp_path: Path) -> None:
    """Three small files of each run, in their places, and the table on the page of the job."""
    run = tmp_path / "reports" / "group-repeat" / "run"
    run.mkdir(parents=True)
    for name in ("plan.json", "scenario.toml", "result.json", "sightings.bin"):
        (run / name).write_text("", encoding="utf-8")
    done = run_step(step("Trend"), tmp_path, 0)
    assert done.returncode == 0, done.stderr
    kept = {path.name for path in (tmp_path / "results" / "group-repeat" / "run").iterdir()}
    assert kept == {"plan.json", "scenario.toml", "result.json"}
    summary = (tmp_path / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8")
    assert summary == "<pre>\nharness trend results\n</pre>\n"


def test_make_run_says_the_exit_code_of_the_harness(tmp_path: Path) -> None:
    """Make ends with 2 for every code but 0, which elsewhere stands for wrong usage."""
    program = tmp_path / ".venv" / "bin" / "harness"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for name in ("pyproject.toml", "requirements.lock", ".venv/.installed-run"):
        (tmp_path / name).touch()
    done = subprocess.run(
        ["make", "run"],  # noqa: S607 - the one on the path, as in CI
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "exit code of harness: 3, INCONCLUSIVE" in done.stdout


LANES = ("-n auto tests/unit", "pytest tests/commands", "-m not pair", "-m pair", "-m alone")


@pytest.mark.parametrize("failing", ["mypy", "ruff check", "format", "lint-imports", *LANES])
def test_make_test_fails_with_any_part_of_it_and_names_the_part(
    failing: str, tmp_path: Path
) -> None:
    """The first parts run side by side, and the lots that follow do so after a failure, too."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("pytest", "ruff", "mypy", "lint-imports"):
        line = f"{name} $*"
        (programs / name).write_text(
            f'#!/bin/sh\necho "ran: {line}"\ncase "{line}" in *"{failing}"*) exit 1;; esac\n',
            encoding="utf-8",
        )
        (programs / name).chmod(0o755)
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).touch()
    for name in (".installed-run", ".installed-test"):
        (tmp_path / ".venv" / name).touch()
    done = subprocess.run(
        ["make", "test"],  # noqa: S607 - the one on the path, as in CI
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert "*** [Makefile:" in done.stderr
    ran = [line for line in done.stdout.splitlines() if line.startswith("ran: ")]
    servers = failing in LANES[1:]
    assert [sum(lane in line for line in ran) for lane in LANES] == [1, *[int(servers)] * 4]
