"""Archives: the same folder gives the same bytes, and a hostile one leads nowhere."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import EvidenceError
from harness.evidence import archive
from harness.evidence.archive import unpack, write_archive
from harness.evidence.folder_manifest import (
    archived_files,
    check_folder,
    root_hash,
    write_folder_manifest,
)
from harness.safe_open import RefusedError

NAMES = st.text("abcxyz019-_", min_size=1, max_size=12)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.dictionaries(PATHS, st.binary(max_size=300), min_size=1, max_size=6)


def fill(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files; a path below another file is left out."""
    for name, data in contents.items():
        path = folder / name
        if path.is_dir() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@settings(max_examples=30)
@given(contents=CONTENTS, reverse=st.booleans(), mode=st.sampled_from([0o600, 0o755]))
def test_the_same_folder_gives_the_same_bytes(
    contents: dict[str, bytes], reverse: bool, mode: int
) -> None:
    """Whatever the order, the mode and the time of its files; and it comes back whole."""
    with TemporaryDirectory() as place:
        packed = []
        for number in range(2):
            folder = Path(place) / str(number) / "x-signoff"
            folder.mkdir(parents=True)
            items = list(contents.items())
            fill(folder, dict(reversed(items) if number and reverse else items))
            if sorted(archived_files(folder)) != sorted(contents):
                return  # a file and a folder of the same name: the order decides
            for name in contents:
                if number:
                    (folder / name).chmod(mode)
                    os.utime(folder / name, (number * 1e9, number * 1e9))
            write_folder_manifest(folder)
            path = folder.with_name("x-signoff.tar.gz")
            write_archive(folder, path)
            packed.append(path)
        assert packed[0].read_bytes() == packed[1].read_bytes()
        into = Path(place) / "into"
        into.mkdir()
        found = unpack(packed[0], into)
        check = check_folder(found)
        assert (check.files.changed, check.files.missing, check.files.added) == ((), (), ())
        assert check.root == check.stored_root
        assert {name: (found / name).read_bytes() for name in contents} == contents


@given(contents=st.dictionaries(PATHS, NAMES, max_size=5), other=PATHS)
def test_the_root_depends_on_every_name_and_digest(contents: dict[str, str], other: str) -> None:
    """Not on their order."""
    root = root_hash(contents)
    assert root_hash(dict(reversed(list(contents.items())))) == root
    changed = {**contents, other: "another digest"}
    assert (root_hash(changed) == root) == (changed == contents)


def tar_of(path: Path, fill_in: Callable[[tarfile.TarFile], None]) -> Path:
    """An archive with what a test puts in."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        fill_in(tar)
    return path


def member(name: str, data: bytes = b"x", **changes: object) -> Callable[[tarfile.TarFile], None]:
    """Puts in one entry."""

    def put(tar: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        for key, value in changes.items():
            setattr(entry, key, value)
        tar.addfile(entry, io.BytesIO(data))

    return put


def both(*puts: Callable[[tarfile.TarFile], None]) -> Callable[[tarfile.TarFile], None]:
    """Puts in several."""

    def put(tar: tarfile.TarFile) -> None:
        for one in puts:
            one(tar)

    return put


HOSTILE = {
    "a path out of the folder": member("x/../../evil"),
    "an absolute path": member("/etc/evil"),
    "no folder": member("evil"),
    "a symbolic link": member("x/link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": member("x/link", b"", type=tarfile.LNKTYPE, linkname="x/a"),
    "a device": member("x/null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "a pipe": member("x/pipe", b"", type=tarfile.FIFOTYPE),
    "a folder": member("x/dir", b"", type=tarfile.DIRTYPE),
    "a file twice": both(member("x/a"), member("x/a")),
    "two folders": both(member("x/a"), member("y/a")),
    "what is made from evidence": member("x/attempts/load-1/run/result.json"),
    "a hidden file": member("x/.profile"),
    "a long name": member("x/" + "a/" * 600 + "a"),
    "a size that no evidence has": member(
        "x/a", b"", pax_headers={"size": str(1 << 50), "GNU.sparse.realsize": "1"}
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(name: str, tmp_path: Path) -> None:
    """And nothing is written outside of the folder that was given."""
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises((RefusedError, EvidenceError)):
        unpack(tar_of(tmp_path / "hostile.tar.gz", HOSTILE[name]), into)
    assert {path.name for path in tmp_path.iterdir()} == {"into", "hostile.tar.gz"}
    assert not any(path.is_symlink() for path in into.rglob("*"))


def test_a_bomb_ends_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that unpacks to more than a hundred times its size."""
    monkeypatch.setattr(archive, "_UNPACKED_BYTES_LEAST", 1 << 16)
    into = tmp_path / "into"
    into.mkdir()
    bomb = tar_of(tmp_path / "bomb.tar.gz", member("x/zeros", bytes(1 << 21)))
    with pytest.raises(RefusedError, match="unpacks to"):
        unpack(bomb, into)
    assert sum(path.stat().st_size for path in into.rglob("*") if path.is_file()) < 1 << 20


def test_a_header_that_asks_for_much_at_once(tmp_path: Path) -> None:
    """An extended header of 8 MB would be read as a whole."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member("x/a", pax_headers={"comment": "c" * (8 << 20)})(tar)
    path = tmp_path / "large.tar.gz"
    path.write_bytes(gzip.compress(raw.getvalue()))
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(RefusedError, match="at once"):
        unpack(path, into)


NO_ARCHIVES = (b"", b"no archive", gzip.compress(b"", mtime=0), gzip.compress(b"x" * 600, mtime=0))


@pytest.mark.parametrize("data", NO_ARCHIVES, ids=["empty", "text", "nothing packed", "no tar"])
def test_what_is_no_archive(data: bytes, tmp_path: Path) -> None:
    """Is named as none."""
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(EvidenceError):
        unpack(path, into)


def test_a_cut_archive(tmp_path: Path) -> None:
    """As an incomplete copy leaves it."""
    folder = tmp_path / "x-signoff"
    folder.mkdir()
    (folder / "a.bin").write_bytes(os.urandom(20_000))
    write_folder_manifest(folder)
    path = tmp_path / "x-signoff.tar.gz"
    write_archive(folder, path)
    path.write_bytes(path.read_bytes()[:-5_000])
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(EvidenceError):
        unpack(path, into)


def test_a_folder_with_a_link_is_refused(tmp_path: Path) -> None:
    """Also where the link is a folder."""
    folder = tmp_path / "x-signoff"
    (folder / "attempts").mkdir(parents=True)
    write_folder_manifest(folder)
    into = tmp_path / "into"
    into.mkdir()
    (folder / "attempts" / "load-1").symlink_to("/etc")
    with pytest.raises(RefusedError):
        unpack(folder, into)
    shutil.rmtree(folder / "attempts", ignore_errors=True)
