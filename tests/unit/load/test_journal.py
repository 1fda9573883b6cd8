from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import EvidenceError
from harness.evidence.records import ACK, Outcome, RecordWriter, read_records
from harness.load.journal import Journal, Scribe, ScribedJournal
from harness.load.scribe import carry
from harness.load.script import NAME


def test_answers_become_records(tmp_path: Path) -> None:
    """Name, time, outcome and entry id of each answer, in order."""
    journal = Journal(RecordWriter(tmp_path / "attempts"), RecordWriter(tmp_path / "acks"))
    journal.answered([(NAME.pack(1, 2), b"1700-9"), (NAME.pack(3, 4), None)], 55)
    journal.unanswered([NAME.pack(5, 6)], Outcome.UNKNOWN, 66)
    journal.close()
    records, torn = read_records(tmp_path / "acks", ACK)
    assert torn == 0
    expected = [
        (1, 2, 55, 1700, 9, Outcome.ACCEPTED, [0, 0, 0]),
        (3, 4, 55, 0, 0, Outcome.REFUSED, [0, 0, 0]),
        (5, 6, 66, 0, 0, Outcome.UNKNOWN, [0, 0, 0]),
    ]
    assert [(*row[:-1], row[-1].tolist()) for row in np.array(records).tolist()] == expected


@settings(max_examples=10)
@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=300)), max_size=30))
def test_scribe_carries_every_byte(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[bool, bytes]]
) -> None:
    """What goes into a pipe comes out in its file, whole and in order."""
    folder = tmp_path_factory.mktemp("scribe")
    pipes = [os.pipe() for _ in range(2)]
    files = [folder / "a", folder / "b"]
    for second, data in pieces:
        os.write(pipes[second][1], data)
    for _, write in pipes:
        os.close(write)
    targets = [os.open(path, os.O_WRONLY | os.O_CREAT) for path in files]
    carry({read: target for (read, _), target in zip(pipes, targets, strict=True)}, pause_s=0)
    for number, path in enumerate(files):
        assert path.read_bytes() == b"".join(data for second, data in pieces if second == number)


def test_scribe_tells_of_a_full_disk() -> None:
    """It ends with the error that the file system gave."""
    read, write = os.pipe()
    os.write(write, b"x")
    with pytest.raises(OSError, match="No space left") as caught:
        carry({read: os.open("/dev/full", os.O_WRONLY)})
    assert caught.value.errno == errno.ENOSPC
    os.close(read)
    os.close(write)


def test_closing_waits_for_the_last_byte(tmp_path: Path) -> None:
    """After the end everything is in the files, whose names say whose they are."""
    journal = ScribedJournal(tmp_path, 3)
    journal.unanswered([NAME.pack(1, n) for n in range(50_000)], Outcome.REFUSED, 1)
    journal.close()
    records, torn = read_records(tmp_path / "acks-3.bin", ACK)
    assert (len(records), torn) == (50_000, 0)
    assert (tmp_path / "attempts-3.bin").stat().st_size == 0


def test_journal_is_never_written_over(tmp_path: Path) -> None:
    """Evidence that is there already stays."""
    ScribedJournal(tmp_path, 0).close()
    with pytest.raises(EvidenceError, match="cannot be created"):
        ScribedJournal(tmp_path, 0)


def test_dead_scribe_is_noticed(tmp_path: Path) -> None:
    """Without it nothing more can be journaled, and so nothing more may be sent."""
    scribe = Scribe(tmp_path / "a", tmp_path / "b")
    os.kill(scribe.pid, signal.SIGKILL)
    os.waitid(os.P_PID, scribe.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(EvidenceError, match="scribe ended with -9"):
        scribe.sinks[0].write(b"x")
    for sink in scribe.sinks:
        sink.close()
    with pytest.raises(EvidenceError, match="cannot be written"):
        scribe.finish()
