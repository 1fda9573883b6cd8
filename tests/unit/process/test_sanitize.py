"""What a shell hands on without being asked is not read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.process.sanitize import sanitize_environment, sanitize_module_path, sanitized

ROOT = Path(__file__).resolve().parents[3]


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


def test_a_block_gives_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after an error; what was changed meanwhile is as before too."""
    monkeypatch.setenv("PGHOST", "elsewhere")
    before, path = dict(os.environ), list(sys.path)

    def fail() -> None:
        with sanitized():
            assert "PGHOST" not in os.environ
            os.environ["ADDED"] = "x"
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert dict(os.environ) == before
    assert sys.path == path
