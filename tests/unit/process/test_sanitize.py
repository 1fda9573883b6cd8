"""What a shell hands on without being asked is not read, and streams cannot end a run."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.process.launch import module_command
from harness.process.sanitize import sanitize_environment, sanitize_module_path

ROOT = Path(__file__).resolve().parents[3]
# A module that a run imports, in the folder where the user stands.
PLANTED = "import pathlib\npathlib.Path(__file__).with_name('executed').touch()\n"


def tidied(**env: str) -> dict[str, str]:
    """The environment afterwards."""
    sanitize_environment(env)
    return env


@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "LD_LIBRARY_PATH"])
@pytest.mark.parametrize("entries", [":/a:.:/b:", "/a::/b", "./x:/a:../y:/b", "/a:b/c:/b"])
def test_lists_name_no_current_folder(name: str, entries: str) -> None:
    """An empty or relative entry of such a list stands for it."""
    assert tidied(**{name: entries})[name] == "/a:/b"


def test_a_list_of_nothing_else_is_no_list() -> None:
    """An empty LD_LIBRARY_PATH or PYTHONPATH would mean the current folder again."""
    found = tidied(PATH=".", PYTHONPATH=":", LD_LIBRARY_PATH="")
    assert found["PATH"] == os.defpath
    assert "PYTHONPATH" not in found
    assert "LD_LIBRARY_PATH" not in found


def test_libpq_and_python_are_given_nothing_else() -> None:
    """But for a login that a contract may name."""
    found = tidied(
        PGSERVICE="x", PGOPTIONS="-c x=y", PGHOST="h", PGPASSFILE="/p", PGSSLMODE="allow",
        PGUSER="u", PGPASSWORD="p", PYTHONSTARTUP="/s", PYTHONINSPECT="1", PG_MINE="kept",
    )  # fmt: skip
    assert {name for name in found if name.startswith("PG")} == {
        "PGUSER", "PGPASSWORD", "PGPASSFILE", "PG_MINE",
    }  # fmt: skip
    assert not Path(found["PGPASSFILE"]).exists()
    assert found["PYTHONSAFEPATH"] == "1"
    assert "PYTHONSTARTUP" not in found
    assert "PYTHONINSPECT" not in found


@pytest.mark.parametrize(("before", "after"), [(0o777, 0o077), (0o022, 0o022), (0, 0o002)])
def test_the_mode_mask_leaves_the_owner_all_and_others_no_writing(before: int, after: int) -> None:
    """In a process of its own, since it has one mask."""
    code = (
        "import os; from harness.process.sanitize import sanitize_process;"
        " sanitize_process(); print(os.umask(0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, umask=before,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) == after


def test_the_module_path_has_no_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the harness itself lies there."""
    monkeypatch.chdir(tmp_path)
    assert sanitize_module_path(["", str(tmp_path), "/a", "."]) == ["/a"]
    monkeypatch.chdir(ROOT)
    assert sanitize_module_path(["", str(ROOT)]) == ["", str(ROOT)]


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
