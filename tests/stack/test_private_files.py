"""What the user of root's PostgreSQL owns, and that root writes, follows and runs none of it."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import StackError
from harness.process.program import run_to_end
from harness.process.reaper_client import ReaperClient
from harness.process.termination import remove
from harness.stack.private_dir import create_private_dir, release_dir
from harness.stack.process.postgres import PostgresServer
from harness.stack.process.postgres_install import ask_version
from harness.stack.server_user import User, change_owner, server_user

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs the servers itself"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder."""
    place = create_private_dir()
    yield place
    remove((str(place),))
    release_dir(place)


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    """With its data folder made, its programs out of reach and so copied."""
    reaches = User.reaches
    monkeypatch.setattr(
        User, "reaches", lambda user, path: path.name != "postgres" and reaches(user, path)
    )
    reaper = ReaperClient()
    reaper.start()
    server = PostgresServer(folder / "postgres", folder / "log", reaper, "harness_observer")
    try:
        server.prepare()
    finally:
        reaper.stop()
    return server


def as_user(*argv: str, user: User | None = None) -> int:
    """Do something as the servers' user; the exit code."""
    who = user or server_user()
    done = subprocess.run(argv, user=who.uid, group=who.gid, extra_groups=[], cwd="/", check=False)
    return done.returncode


def test_only_the_data_folder_is_the_users(folder: Path, server: PostgresServer) -> None:
    """Everything else is root's, and nobody but root may write it."""
    server.program(20_000)
    user, data = server_user(), folder / "postgres" / "data"
    assert user.uid not in (0, 65_534)
    for path in (folder, *folder.rglob("*")):
        facts = path.lstat()
        if path == data or path.is_relative_to(data):
            assert (facts.st_uid, facts.st_gid) == (user.uid, user.gid), path
            assert not facts.st_mode & 0o077, path
        else:
            assert facts.st_uid == 0, path
            assert path.is_symlink() or not facts.st_mode & 0o022, path
    assert not list(folder.rglob("pw"))


def test_another_user_cannot_enter(folder: Path, server: PostgresServer) -> None:
    """Nor one with the number of `nobody`, which many services share."""
    assert server.version.startswith("16.")
    inside = str(folder / "postgres" / "data" / "PG_VERSION")
    assert as_user("test", "-r", inside) == 0
    assert as_user("test", "-r", inside, user=User(65_534, 65_534)) != 0


def test_planted_links_are_not_followed(folder: Path, server: PostgresServer) -> None:
    """Where root used to write, a link to root's file does nothing to it."""
    victim = folder / "victim"
    victim.write_text("root's own")
    victim.chmod(0o600)
    data = folder / "postgres" / "data"
    for name in ("postgresql.auto.conf", "pg_hba.conf", "postgresql.conf"):
        assert as_user("ln", "-sf", str(victim), str(data / name)) == 0
    for name in ("pw", "pg_hba.conf", "postgresql.conf", "planted"):
        assert as_user("ln", "-sf", str(victim), str(data.parent / name)) != 0
    server.program(20_001)
    assert victim.read_text() == "root's own"
    config = data.parent / "postgresql.conf"
    assert not config.is_symlink()
    assert "20001" in config.read_text()


def test_programs_cannot_be_swapped(folder: Path, server: PostgresServer) -> None:
    """The copy that root's user runs from cannot be changed by it."""
    binary = Path(server.describe()["binary"])
    assert binary.is_relative_to(folder)
    assert as_user("test", "-x", str(binary)) == 0
    for words in (("rm", "-f", str(binary)), ("mv", str(binary.parent), str(binary.parent) + "2")):
        assert as_user(*words) != 0
    assert as_user("test", "-w", str(binary)) != 0
    assert stat.S_IMODE(binary.stat().st_mode) == 0o755


def test_programs_are_not_run_as_root(folder: Path) -> None:
    """Not even to ask their version."""
    user, program = server_user(), folder / "bin" / "postgres"
    program.parent.mkdir()
    program.parent.chmod(0o755)
    program.write_text("#!/bin/sh\necho postgres 16.$(id -u)\n")
    program.chmod(0o755)
    assert ask_version(folder, user) == f"16.{user.uid}"


def test_what_somebody_else_put_there_is_not_given_away(folder: Path) -> None:
    """A file with another name elsewhere would be given away under both."""
    place, maker, user = folder / "data", User(65_534, 65_534), server_user()
    place.mkdir()
    file = folder / "file"
    file.touch()
    os.chown(file, maker.uid, maker.gid)
    os.link(file, place / "linked")
    with pytest.raises(StackError, match="was not made by initdb"):
        change_owner(place, maker, user)
    assert file.stat().st_uid == maker.uid
    (place / "linked").unlink()
    (place / "roots").touch()
    with pytest.raises(StackError, match="was not made by initdb"):
        change_owner(place, maker, user)


def test_configuration_is_in_force(folder: Path, server: PostgresServer) -> None:
    """The server reads root's files, and not what its user could put in their place."""
    data = folder / "postgres" / "data"
    program = server.program(20_002)
    assert f"config_file={data.parent / 'postgresql.conf'}" in program.argv
    reaper = ReaperClient()
    reaper.start()
    try:
        asked = replace(program, argv=(*program.argv, "-C", "hba_file"))
        assert run_to_end(asked, reaper, 10.0) == 0
    finally:
        reaper.stop()
    assert program.log.read_text().splitlines()[-1] == str(data.parent / "pg_hba.conf")
