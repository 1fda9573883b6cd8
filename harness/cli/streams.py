"""Standard streams that cannot end a run: closed, broken or full, what is printed is lost."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from harness.errors import EvidenceError

_STDIN, _STDOUT, _STDERR = range(3)


class SafeStream(io.TextIOWrapper):
    """A text stream that goes on in silence after the first write that failed.

    Attributes:
        failure: why that was; None while everything has arrived.
    """

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write, or lose, a text."""
        try:
            return super().write(text)
        except OSError as error:
            self._go_on(error)
            return len(text)

    def flush(self) -> None:
        """Hand on, or lose, what was written."""
        try:
            super().flush()
        except OSError as error:
            self._go_on(error)

    def _go_on(self, error: OSError) -> None:
        """What is still in the buffer, and all that follows, goes nowhere.

        Source: the note on SIGPIPE in https://docs.python.org/3/library/signal.html
        """
        self.failure = self.failure or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        with suppress(OSError):
            super().flush()


def secure_streams() -> None:
    """Give this process three standard streams that are open and cannot fail.

    To be called before any other file is opened: a closed stream's number would be given to it,
    and what is printed would be written into it.
    """
    for number in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == _STDIN else os.O_WRONLY)
    sys.stdin = sys.stdin or open(_STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _safe(sys.stdout, _STDOUT)
    sys.stderr = _safe(sys.stderr, _STDERR)


def failure_of(stream: TextIO) -> OSError | None:
    """Why something that was printed did not arrive; None if all of it did so far."""
    stream.flush()
    return stream.failure if isinstance(stream, SafeStream) else None


def emit(text: str) -> None:
    """Print what a program reads; a reader that has seen enough is no error, a full disk is one.

    Raises:
        EvidenceError: not all of it arrived.
    """
    sys.stdout.write(text)
    lost = failure_of(sys.stdout)
    if lost is not None and lost.errno != errno.EPIPE:
        raise EvidenceError(f"cannot be written: {lost.strerror}", where="standard output")


def _safe(stream: TextIO | None, number: int) -> TextIO:
    """The same stream, safe; one that shows another sign where it cannot show the right one."""
    if stream is None:
        raw = open(number, "wb", closefd=False)  # noqa: SIM115 - lives as long as we do
        return SafeStream(raw, encoding="utf-8", errors="replace")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    return SafeStream(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace" if number == _STDERR else "replace",
        line_buffering=stream.line_buffering or number == _STDERR,
        write_through=stream.write_through,
    )
