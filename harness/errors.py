"""Errors for users: what happened, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INVALID = 4
    STACK = 5


class HarnessError(Exception):
    """Base of all expected errors.

    Args:
        what: one sentence, with the figure that matters ("no answer after 5.0 s").
        where: the file, key, service or address.
        hint: what the user can do now.
    """

    exit_code: Exit = Exit.STACK

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(self.__str__())

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  hint: {self.hint}" if self.hint else head


class UsageError(HarnessError):
    """Wrong usage, a bad scenario or a bad contract file."""

    exit_code = Exit.USAGE


class StackError(HarnessError):
    """The system under test could not be started, or was lost for a reason outside the test."""

    exit_code = Exit.STACK


class EvidenceError(HarnessError):
    """Evidence cannot be written, or stored evidence cannot be read."""

    exit_code = Exit.INVALID


def error_text(error: Exception, *, with_type: bool = True) -> str:
    """An error in one line: where and what of ours, else type and message.

    Args:
        error: what was raised.
        with_type: False names the type only of an error that has no message, which suits a
            server's own messages.
    """
    if isinstance(error, HarnessError):
        return f"{error.where}: {error.what}" if error.where else error.what
    name, message = type(error).__name__, " ".join(str(error).split())
    if not message:
        return name
    return f"{name}: {message}" if with_type else message


def nearest(text: str, known: Iterable[str]) -> str:
    """The most similar known text, ignoring case; empty if none is similar."""
    by_fold = {one.casefold(): one for one in known}
    found = get_close_matches(text.casefold(), by_fold, n=1)
    return by_fold[found[0]] if found else ""


def choice_hint(text: str, known: Iterable[str]) -> str:
    """The hint of an error about a word that is none of the known ones."""
    words = sorted(known)
    near = nearest(text, words)
    return f"did you mean {near}?" if near else f"possible are {', '.join(words)}"
