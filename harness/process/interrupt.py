"""Ctrl-C and SIGTERM as one exception, raised once, so that clean-up runs undisturbed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):  # noqa: N818 - a wish, not an error
    """A signal asked the harness to end."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")


class InterruptSwitch:
    """The handler of a block that can be interrupted.

    Attributes:
        signal_number: of the first signal; None without one.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.signal_number is None:
            self.signal_number = number
            raise Interrupted(number)


@contextmanager
def interruptible() -> Iterator[InterruptSwitch]:
    """Raise `Interrupted` in the main thread on the first SIGINT, SIGTERM or SIGHUP.

    Later ones are ignored until the block is left: they would cut the clean-up short, and the
    clean-up is bounded in time.
    """
    switch = InterruptSwitch()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, switch) for number in numbers}
    try:
        yield switch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
