"""Whose a private folder is: the kernel's lock shows it, not a process id."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from harness.errors import StackError
from harness.process.reservation import release, reserve
from harness.process.termination import remove
from harness.stack.ports import free_port, release_ports
from harness.stack.private_dir import (
    LOCK,
    PREFIX,
    claim_dir,
    create_private_dir,
    release_dir,
    sweep_stale,
    write_private,
)

ROOT = Path(__file__).resolve().parents[3]
# Another process, which may say nothing of its number.
OWNER = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from unittest.mock import Mock
from harness.stack.private_dir import claim_dir
claim_dir(Path(sys.argv[1]))
print("claimed", flush=True)
sys.stdin.read()
"""


def owner_of(folder: Path) -> subprocess.Popen[str]:
    """A process whose folder it is, until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    return process


def test_a_folder_lives_as_long_as_its_owner(tmp_path: Path) -> None:
    """Whatever number the owner's process seems to have here."""
    folder = tmp_path / f"{PREFIX}a"
    with owner_of(folder) as process:
        # As from another container: the number names no process here.
        (folder / LOCK).write_text("4194304\n")
        assert sweep_stale(tmp_path) == ()
        with pytest.raises(StackError, match="belongs to a run that is under way"):
            claim_dir(folder)
        process.kill()
        process.wait()
    assert sweep_stale(tmp_path) == (folder,)
    assert not folder.exists()


def test_what_is_no_runs_is_left_alone(tmp_path: Path) -> None:
    """A folder without a lock, a link, and what lies elsewhere."""
    (tmp_path / f"{PREFIX}new").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    linked = tmp_path / f"{PREFIX}lock"
    linked.mkdir()
    (linked / LOCK).symlink_to(elsewhere / LOCK)
    os.mkfifo(tmp_path / f"{PREFIX}new" / LOCK)
    release_dir(tmp_path)
    assert elsewhere not in sweep_stale(tmp_path)
    assert elsewhere.is_dir()
    assert linked.is_dir()


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    """A name cannot be guessed, and no other user can enter."""
    first, second = create_private_dir(tmp_path), create_private_dir(tmp_path)
    assert first != second
    assert not first.stat().st_mode & 0o007
    for folder in (first, second):
        remove((str(folder),))
        release_dir(folder)


def test_no_folder_of_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names it and what to do."""
    with pytest.raises(StackError, match="no private folder can be made") as caught:
        create_private_dir(tmp_path / "missing")
    assert "TMPDIR" in str(caught.value)
    monkeypatch.setattr(
        "tempfile.gettempdir", lambda: str((tmp_path / "none").resolve(strict=True))
    )
    with pytest.raises(StackError, match="no private folder can be made"):
        create_private_dir()


def test_a_planted_link_is_replaced(tmp_path: Path) -> None:
    """And what it leads to stays as it is."""
    victim, path = tmp_path / "victim", tmp_path / "conf"
    victim.write_text("own")
    path.symlink_to(victim)
    write_private(path, "secret")
    assert victim.read_text() == "own"
    assert path.read_text() == "secret"
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_name_is_held_until_the_process_ends() -> None:
    """By one process, and by one of its threads."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from harness.process.reservation import"
        " reserve; sys.exit(reserve('test/x'))"
    )
    assert reserve("test/x")
    assert not reserve("test/x")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    release("test/x")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
    assert reserve("test/x")
    release("test/x")


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that start at once search for ports at once."""
    monkeypatch.setattr("harness.stack.ports.below_ephemeral", lambda: range(15_000, 15_040))
    monkeypatch.setattr("harness.stack.ports.is_free", Mock(return_value=True))
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(free_port())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 20
    release_ports(found)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_temporary_folder_that_cannot_be_used_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other one is used in silence."""
    named = tmp_path / "place"
    if kind == "file":
        named.write_text("")
    monkeypatch.setenv("TMPDIR", str(named))
    with pytest.raises(StackError, match="TMPDIR names no folder") as caught:
        create_private_dir()
    assert caught.value.where == str(named)


@pytest.fixture
def in_two_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is there is older than a day."""
    now_s = time.time() + 2 * 24 * 3600
    monkeypatch.setattr("harness.stack.private_dir.time.time", lambda: now_s)


def left_without_a_lock(base: Path, name: str = "a1_b2c3d") -> Path:
    """As a harness from before there were locks left them."""
    folder = base / f"{PREFIX}{name}"
    (folder / "postgres" / "data").mkdir(parents=True)
    (folder / "postgres" / "data" / "PG_VERSION").write_text("16")
    return folder


def test_a_leftover_from_before_the_lock_is_kept_for_a_day(tmp_path: Path) -> None:
    """A run of that version may be under way."""
    folder = left_without_a_lock(tmp_path)
    assert sweep_stale(tmp_path) == ()
    assert folder.is_dir()


@pytest.mark.usefixtures("in_two_days")
def test_an_old_leftover_from_before_the_lock_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of this user with the name that the harness gives; all others stay."""
    kept = [left_without_a_lock(tmp_path, name) for name in ("new", "UPPERCAS", "a1_b2c3d.old")]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"{PREFIX}linklink").symlink_to(elsewhere)
    folder = left_without_a_lock(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("harness.stack.private_dir.os.geteuid", lambda: os.getuid() + 1)
        assert sweep_stale(tmp_path) == ()
    assert sweep_stale(tmp_path) == (folder,)
    assert all(one.is_dir() for one in (*kept, elsewhere))


USES = {
    "works in it": "import os, sys; os.chdir(sys.argv[1])",
    "has a file open": "import sys; file = open(sys.argv[1] + '/postgres/data/PG_VERSION')",
    "is an argument": "import sys",
}


@pytest.mark.usefixtures("in_two_days")
@pytest.mark.parametrize("use", USES)
def test_an_old_leftover_that_a_process_uses_is_kept(use: str, tmp_path: Path) -> None:
    """By its folder, a file or an argument, until the process ends."""
    folder = left_without_a_lock(tmp_path)
    code = "; ".join((USES[use], "print('ready', flush=True)", "sys.stdin.read()"))
    # The other uses must not be found by the argument.
    given, place = (folder, "/") if use == "is an argument" else (folder.name, tmp_path)
    command = [sys.executable, "-I", "-c", code, str(given)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=place) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert sweep_stale(tmp_path) == ()
        process.communicate("")
    assert sweep_stale(tmp_path) == (folder,)


@pytest.mark.usefixtures("in_two_days")
def test_a_folder_with_too_much_in_it_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows then when it was changed last."""
    folder = left_without_a_lock(tmp_path)
    monkeypatch.setattr("harness.stack.private_dir._ENTRIES_MAX", 2)
    assert sweep_stale(tmp_path) == ()
    assert folder.is_dir()
