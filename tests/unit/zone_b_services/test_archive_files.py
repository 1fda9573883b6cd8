"""Archive files: whole or absent, and their names are the position."""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zone_b.archive_files import Archive, InUseError, Position
from zone_b.archiver import Batch, read_archiver_settings, rest_s
from zone_b.settings import SettingsError

positions = st.builds(
    Position,
    st.integers(min_value=0, max_value=10**16 - 1),
    st.uuids().map(str),
)
ROW = {"id": "x", "nonce": 1}


@given(positions)
def test_a_name_reads_back(position: Position) -> None:
    """A position survives in the name of a file."""
    assert Position.of_file(position.file_name) == position


@given(positions, positions)
def test_names_sort_as_positions_do(one: Position, other: Position) -> None:
    """So a listing of the folder is in the order of archiving."""
    assert (one < other) == (one.file_name < other.file_name)


@pytest.mark.parametrize("name", [".lock", "trade_tasks-1-x.jsonl.gz", "notes.txt"])
def test_other_files_are_no_position(name: str) -> None:
    """Whatever else lies in the folder is left alone."""
    assert Position.of_file(name) is None


def test_a_batch_is_found_again(tmp_path: Path) -> None:
    """A new archiver goes on where the last one ended, and sweeps up what it left half done."""
    archive = Archive(tmp_path)
    assert archive.position == Position()
    last = Position(5_000_000, str(uuid.UUID(int=7)))
    size = archive.write([ROW, ROW], last)
    path = tmp_path / last.file_name
    assert size == path.stat().st_size
    assert [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()] == [
        ROW,
        ROW,
    ]
    archive.close()
    half = tmp_path / "trade_tasks-x.part"
    half.touch()
    again = Archive(tmp_path)
    assert again.position == last
    assert not half.exists()
    again.close()


def test_the_same_rows_give_the_same_file(tmp_path: Path) -> None:
    """A batch written twice, after a crash, is one file."""
    contents = []
    for name in ("a", "b"):
        archive = Archive(tmp_path / name)
        archive.write([ROW], Position(1, str(uuid.UUID(int=1))))
        contents.append((tmp_path / name / archive.position.file_name).read_bytes())
        archive.close()
    assert contents[0] == contents[1]


def test_one_writer_only(tmp_path: Path) -> None:
    """Two archivers on one folder would archive everything twice."""
    archive = Archive(tmp_path)
    with pytest.raises(InUseError, match="another archiver"):
        Archive(tmp_path)
    archive.close()
    Archive(tmp_path).close()


def test_settings() -> None:
    """Defaults, and a value that cannot be."""
    own = read_archiver_settings({"DEFI_ARCHIVE_DIR": "/x"})
    assert (own.folder, own.every_s, own.after_s) == (Path("/x"), 60, 3600)
    with pytest.raises(SettingsError, match="DEFI_ARCHIVE_EVERY_S must lie between 1"):
        read_archiver_settings({"DEFI_ARCHIVE_EVERY_S": "0"})


@pytest.mark.parametrize(
    ("full", "wait_s", "took_s", "rest"),
    [
        (True, 0, 0.5, 4.5),
        (True, 0, 30, 60),
        (False, 0, 0.5, 60),
        (False, 3000, 0.5, 3000),
        (False, 5, 0.5, 60),
    ],
)
def test_rest_between_looks(full: bool, wait_s: int, took_s: float, rest: float) -> None:
    """A tenth of the time while there is much to do; no poll in vain while all tasks are young."""
    batch = Batch((), None, wait_s * 1_000_000, full)
    assert rest_s(batch, took_s, 60) == rest
