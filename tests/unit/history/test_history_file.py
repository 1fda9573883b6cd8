"""The file of a history: it only grows, and reading it unites and skips."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import EvidenceError, UsageError
from harness.evidence import history
from harness.evidence.history import (
    HistoryLine,
    append_history,
    merge_history,
    read_history,
    unite,
)
from harness.safe_open import RefusedError
from tests.studies.history.nights import line_of, p99

NEWER = '{"schema_version":2,"run_id":"x"}'
# Number of the night, and the second in which its line was made.
made = st.tuples(st.integers(0, 20), st.integers(0, 3))


def line(number: int, second: int = 0) -> HistoryLine:
    """A line of a night; another second, another figure."""
    return line_of(number, p99(40e6 + second), recorded=f"2027-01-01T00:00:0{second}Z")


def ids(path: Path) -> list[str]:
    """The runs of a history."""
    return [one.run_id for one in read_history([path]).lines]


def test_what_is_appended_is_read_in_order_of_time(tmp_path: Path) -> None:
    """Whatever the order of writing; the folder is made."""
    path = tmp_path / "kept" / "history.jsonl"
    for number in (2, 0, 1):
        append_history(path, [line(number)])
    assert read_history([path]).lines == tuple(line(number) for number in range(3))
    assert path.read_text(encoding="utf-8").count("\n") == 3


def test_line_is_small(tmp_path: Path) -> None:
    """A run of seven images and four objectives."""
    images = {f"service-{number}": "0123456789ab" for number in range(7)}
    path = tmp_path / "h.jsonl"
    append_history(path, [line_of(1, *[p99(40e6)] * 4, images=images)])
    assert path.stat().st_size < 1_500


@given(st.lists(made), st.lists(made), st.lists(made))
def test_uniting_is_a_join(
    one: list[tuple[int, int]], two: list[tuple[int, int]], three: list[tuple[int, int]]
) -> None:
    """Commutative, associative, idempotent; the line that was made last stays."""
    a, b, c = ([line(*own) for own in part] for part in (one, two, three))
    whole = unite([*a, *b, *c])
    assert whole == unite([*c, *b, *a]) == unite([*unite([*a, *b]), *c]) == unite([*whole, *whole])
    latest = {n: max(s for m, s in (*one, *two, *three) if m == n) for n, _ in (*one, *two, *three)}
    assert list(whole) == [line(*own) for own in sorted(latest.items())]


def test_folder_has_a_file_a_month(tmp_path: Path) -> None:
    """Read together, in order."""
    append_history(tmp_path, [line(number) for number in (0, 40, 80)])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2026-01.jsonl", "2026-02.jsonl", "2026-03.jsonl",
    ]  # fmt: skip
    assert ids(tmp_path) == [line(number).run_id for number in (0, 40, 80)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"schema_version":1,"run_id":"20260101', "cut off"),
        ("<<<<<<< HEAD", "conflict marker"),
        ("{}", "no line of a history"),
        ("[1]", "no line of a history"),
        (NEWER, "schema version 2"),
        ('{"schema_version":1}', "run_id"),
        ("\x00\udcff", "no line of a history"),
        ("x" * 20_000, "characters"),
        ("[" * 200 + "]" * 200, "no line of a history"),
    ],
)
def test_line_that_cannot_be_read_is_named_and_stays(text: str, why: str, tmp_path: Path) -> None:
    """With its file and number; the runs around it are read, and no append touches it."""
    path = tmp_path / "h.jsonl"
    append_history(path, [line(0)])
    with path.open("ab") as file:
        file.write(text.encode("utf-8", "surrogateescape"))  # without an end: it was torn
    append_history(path, [line(1)])
    found = read_history([path])
    assert [one.run_id for one in found.lines] == [line(0).run_id, line(1).run_id]
    (skipped,) = found.skipped
    assert skipped.where == f"{path}: line 2"
    assert why in skipped.why
    assert path.read_bytes().split(b"\n")[1].decode("utf-8", "surrogateescape") == text


def test_fields_of_a_newer_version_are_left_out(tmp_path: Path) -> None:
    """What is only added does not change the version."""
    path = tmp_path / "h.jsonl"
    document = {**line(0).model_dump(mode="json"), "new": 1}
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")
    assert read_history([path]).lines == (line(0),)


def test_merging_copies_what_is_missing_and_loses_nothing(tmp_path: Path) -> None:
    """Also a line of a newer version; a second time it adds nothing."""
    one, two, folder = tmp_path / "one.jsonl", tmp_path / "two.jsonl", tmp_path / "months"
    append_history(one, [line(0), line(1)])
    append_history(two, [line(1), line(2)])
    with two.open("a", encoding="utf-8") as file:
        file.write(NEWER + "\n")
    before = one.read_bytes()
    assert merge_history(one, [two]) == 2
    assert one.read_bytes().startswith(before)
    assert NEWER in one.read_text(encoding="utf-8")
    assert merge_history(one, [two]) == 0
    assert ids(one) == [line(number).run_id for number in range(3)]
    folder.mkdir()
    assert merge_history(folder, [one, two]) == 4
    assert ids(folder) == ids(one)
    assert merge_history(folder, [one, two]) == 0


def test_appending_at_the_same_time_loses_nothing(tmp_path: Path) -> None:
    """Each writer has a descriptor, and so a lock, of its own."""
    path = tmp_path / "h.jsonl"
    writers = [
        threading.Thread(target=append_history, args=(path, [line(number)])) for number in range(20)
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert len(ids(path)) == 20


def test_locked_file_is_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that hangs with the lock blocks no run."""
    path = tmp_path / "h.jsonl"
    monkeypatch.setattr(history, "_LOCK_TIMEOUT_NS", 0)
    with path.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(EvidenceError, match="locked"):
            append_history(path, [line(0)])


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A pipe blocks nobody; a folder that cannot be written is an error."""
    pipe = tmp_path / "h.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(RefusedError, match="pipe"):
        append_history(pipe, [line(0)])
    with pytest.raises(RefusedError, match="pipe"):
        read_history([pipe])
    with pytest.raises(UsageError, match="no such history"):
        read_history([tmp_path / "missing.jsonl"])
    with pytest.raises(EvidenceError, match="cannot write"):
        append_history(pipe / "below.jsonl", [line(0)])


def test_full_file_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be read any more is refused before it is written."""
    path = tmp_path / "h.jsonl"
    append_history(path, [line(0)])
    before = path.read_bytes()
    monkeypatch.setattr(history, "HISTORY_BYTES_MAX", len(before) + 10)
    with pytest.raises(EvidenceError, match="more than"):
        append_history(path, [line(1)])
    assert path.read_bytes() == before


@pytest.mark.parametrize("run_id", ["../x", "a/b", "", "x" * 300])
def test_run_id_is_a_name(run_id: str) -> None:
    """The site makes a file of it."""
    with pytest.raises(ValueError, match="run_id"):
        line_of(0, run_id=run_id)


def test_text_is_shown_on_one_line() -> None:
    """Control characters are escaped, as in every text from outside."""
    assert line_of(0, commit="a\x1b[2J\nb").commit == "a\\x1b[2J b"
