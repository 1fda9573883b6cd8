"""Standard streams that cannot end a run: closed, broken or full, what is printed is lost."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from harness.errors import EvidenceError, UsageError

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


def lost_output() -> str:
    """Why not everything that was printed arrived; empty if it did.

    A reader that has seen enough, such as `head`, is none of our business.
    """
    sys.stdout.flush()
    lost = sys.stdout.failure if isinstance(sys.stdout, SafeStream) else None
    return "" if lost is None or lost.errno == errno.EPIPE else str(lost.strerror)


def emit(text: str) -> None:
    """Print what a program reads, which must be whole.

    Raises:
        EvidenceError: not all of it arrived.
    """
    sys.stdout.write(text)
    if lost := lost_output():
        raise EvidenceError(f"cannot be written: {lost}", where="standard output")


def need_current_folder() -> None:
    """Make sure that paths can be relative.

    Raises:
        UsageError: the current folder is gone, or closed to this user.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}",
            where="current folder",
            hint="was it removed? change to one that is there",
        ) from error


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
