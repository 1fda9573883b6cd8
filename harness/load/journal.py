"""The swarm's own journal: what it attempted, and what became of it."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from harness.errors import EvidenceError
from harness.evidence.records import Outcome
from harness.load import scribe
from harness.load.script import Batch
from harness.load.wire import entry_id

# Of two halves of a record: the trace id as it stands in the ATTEMPT, and the rest of an ACK.
_ACK = struct.Struct("<16sqqIB3x")
# Twenty thousand attempts; what Linux grants to anyone.
_PIPE_BYTES = 1 << 20
_SCRIBE_END_MAX_S = 10.0
_LOOK_S = 0.005
_HINT = "check free space and permissions of the report folder (--reports DIR)"


class Sink(Protocol):
    """Takes packed records; they are out of this process before `write` returns."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append records; EvidenceError when that is not possible."""
        ...

    def close(self) -> None: ...


class Journal:
    """Journal of one swarm process.

    Args:
        attempts: takes ATTEMPT records.
        acks: takes ACK records.
    """

    def __init__(self, attempts: Sink, acks: Sink) -> None:
        self._attempts = attempts
        self._acks = acks

    def attempt(self, batch: Batch, sent_ns: int) -> None:
        """Write down what is about to be sent.

        Raises:
            EvidenceError: it could not be written, so it must not be sent.
        """
        self._attempts.write(batch.stamp(sent_ns))

    def answered(self, answers: Iterable[tuple[bytes, bytes | None]], acked_ns: int) -> None:
        """Write down Redis's answers: packed trace id, and the entry's id or None for an error.

        Raises:
            EvidenceError: it could not be written.
        """
        pack = _ACK.pack
        records = bytearray()
        for name, entry in answers:
            if entry is None:
                records += pack(name, acked_ns, 0, 0, Outcome.REFUSED)
            else:
                milliseconds, sequence = entry_id(entry)
                records += pack(name, acked_ns, milliseconds, sequence, Outcome.ACCEPTED)
        self._acks.write(records)

    def unanswered(self, names: Iterable[bytes], outcome: Outcome, now_ns: int) -> None:
        """Write down signals that no answer will come for.

        Raises:
            EvidenceError: it could not be written.
        """
        self._acks.write(b"".join(_ACK.pack(name, now_ns, 0, 0, outcome) for name in names))

    def close(self) -> None:
        """Close both; returns when everything is in the files.

        Raises:
            EvidenceError: not everything came there.
        """
        self._attempts.close()
        self._acks.close()


class Scribe:
    """The process that carries records from pipes to files.

    It inherits standard output, so that a parent that reads there to the end has waited for the
    last record too, however this process died.

    Args:
        paths: files to be created.

    Attributes:
        pid: its process id.
        sinks: the ways to its files, in the order of the paths.

    Raises:
        EvidenceError: a file cannot be created, or the process not started.
    """

    def __init__(self, *paths: Path) -> None:
        self._folder = paths[0].parent
        files = [_create(path) for path in paths]
        pipes = [os.pipe() for _ in paths]
        self.sinks = tuple(PipeSink(write, self) for _, write in pipes)
        ends = [(read, file) for (read, _), file in zip(pipes, files, strict=True)]
        self._code: int | None = None
        self.pid = _spawn(ends)
        for read, file in ends:
            os.close(read)
            os.close(file)

    def trouble(self) -> EvidenceError:
        """Why it takes no more."""
        code = self._wait(1.0)
        reason = os.strerror(code) if code is not None and code > 0 else f"scribe ended with {code}"
        return EvidenceError(
            f"the journal cannot be written: {reason}", where=str(self._folder), hint=_HINT
        )

    def finish(self) -> None:
        """Wait until it has written everything; its pipes are closed before.

        Raises:
            EvidenceError: it failed, or takes too long.
        """
        if self._wait(_SCRIBE_END_MAX_S) != 0:
            raise self.trouble()

    def _wait(self, seconds: float) -> int | None:
        """Its exit code; None when it has not ended by then."""
        until = time.monotonic() + seconds
        while self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == self.pid:
                self._code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                return None
            else:
                time.sleep(_LOOK_S)
        return self._code


def _spawn(ends: list[tuple[int, int]]) -> int:
    """Start a scribe; posix_spawn(3), since a fork would upset an event loop that is running."""
    for number in (number for end in ends for number in end):
        os.set_inheritable(number, True)
    command = [sys.executable, "-I", "-S", scribe.__file__, *(f"{a}:{b}" for a, b in ends)]
    try:
        return os.posix_spawn(
            sys.executable,
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsid=True,
        )
    except OSError as error:
        raise EvidenceError(f"no scribe: {error}", where=scribe.__file__) from error


class PipeSink:
    """The way to one of a scribe's files.

    Args:
        pipe: its write end.
        owner: the scribe.
    """

    def __init__(self, pipe: int, owner: Scribe) -> None:
        self._pipe = pipe
        self._owner = owner
        with suppress(OSError):  # a smaller pipe will do while the disk keeps up
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append records.

        Raises:
            EvidenceError: the scribe is gone.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._pipe, view) :]
        except OSError as error:
            raise self._owner.trouble() from error

    def close(self) -> None:
        """Close it; calling it twice is harmless."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


class ScribedJournal(Journal):
    """A journal whose files are written by a scribe.

    Args:
        folder: where `attempts-<process>.bin` and `acks-<process>.bin` are created.
        process: number of the process.
    """

    def __init__(self, folder: Path, process: int) -> None:
        self._scribe = Scribe(folder / f"attempts-{process}.bin", folder / f"acks-{process}.bin")
        super().__init__(*self._scribe.sinks)

    def close(self) -> None:
        super().close()
        self._scribe.finish()


def _create(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
    except OSError as error:
        raise EvidenceError(
            f"cannot be created: {error.strerror}",
            where=str(path),
            hint=_HINT,
        ) from error
