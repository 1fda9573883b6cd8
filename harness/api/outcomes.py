"""Exceptions for verdicts other than PASS."""

from __future__ import annotations

from harness.errors import Exit, HarnessError


class RunFailedError(AssertionError):
    """FAIL: the system misses an objective or violates a check."""


class UndecidedError(HarnessError):
    """INCONCLUSIVE: the interval of a figure contains the limit, or has no bound beyond it."""

    exit_code: Exit = Exit.INCONCLUSIVE


class InvalidRunError(HarnessError):
    """INVALID: the run does not measure the system."""

    exit_code: Exit = Exit.INVALID
