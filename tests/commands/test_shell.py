"""The command in a shell and in foreign folders: what they hand on is not run, and ends no run."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.process.launch import module_command
from harness.stack.settings import ROOT

# A module that a run imports, in the folder where the user stands.
PLANTED = "import pathlib\npathlib.Path(__file__).with_name('executed').touch()\n"


def plant(folder: Path) -> None:
    """Modules in the folder, under names that are imported."""
    for name in ("redis", "psycopg", "locust", "pydantic", "sitecustomize", "rich", "typer"):
        (folder / f"{name}.py").write_text(PLANTED)


@pytest.mark.parametrize("entry", ["", ".", str(ROOT) + ":"])
def test_a_module_of_the_current_folder_is_not_run(tmp_path: Path, entry: str) -> None:
    """Neither by the command nor by an empty entry of PYTHONPATH."""
    plant(tmp_path)
    (tmp_path / "sitecustomize.py").unlink()  # Python itself reads it, before any code of ours
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{entry}"}
    done = subprocess.run(
        [sys.executable, "-c", "import harness.cli, sys; sys.argv[1:] = ['scenarios'];"
         " harness.cli.main()"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "smoke" in done.stdout
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "module", ["harness.load.worker", "harness.observe.worker", "harness.telemetry.worker"]
)
def test_no_worker_imports_from_the_current_folder(tmp_path: Path, module: str) -> None:
    """It complains of its plan, which it could not read before it had imported all."""
    plant(tmp_path)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        module_command(module), cwd=tmp_path, env=env, input="", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "No module named" not in done.stderr
    assert not (tmp_path / "executed").exists()


def harness(*arguments: str, after: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a shell, followed by `after`."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = f'"$@" {after}'
    python = (sys.executable, "-P", "-m", "harness")
    argv = ["bash", "-o", "pipefail", "-c", line, "x", *python, *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "shell", "code"),
    [
        ("--help", "| head -c 1", 0),
        ("--help", ">&-", 0),
        ("run no.toml", ">/dev/full 2>&1", 2),
        ("run no.toml", "2>&-", 2),
        ("run no.toml", ">&- 2>&- <&-", 2),
    ],
)
def test_streams_change_no_exit_code(arguments: str, shell: str, code: int) -> None:
    """Closed, broken and full ones."""
    done = harness(*arguments.split(), after=shell)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_said() -> None:
    """A program that reads the output must know that it is not whole."""
    done = harness("--help", after=">/dev/full")
    assert f"not everything could be printed: {os.strerror(errno.ENOSPC)}" in done.stderr


def test_a_current_folder_that_is_gone(tmp_path: Path) -> None:
    """Wrong usage, and no mistake of the harness."""
    folder = tmp_path / "gone"
    folder.mkdir()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = f'rmdir "{folder}"; exec "$@"'
    argv = ["bash", "-c", line, "x", sys.executable, "-P", "-m", "harness", "scenarios"]
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: current folder: cannot be read" in done.stderr
