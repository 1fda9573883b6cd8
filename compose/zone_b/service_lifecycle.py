"""The life of a small service: it works until a signal to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable

from zone_b.logs import log_to_stderr
from zone_b.settings import SettingsError


def run_until_stopped(
    name: str,
    work: Callable[[threading.Event], None],
    expected: tuple[type[Exception], ...] = (),
) -> int:
    """Run a service until SIGTERM or SIGINT; its exit code.

    Args:
        name: of the service, for its log.
        work: reads the settings and returns soon after the event is set.
        expected: what may end it, besides wrong settings and errors of the operating system:
            one line in the log instead of a traceback, and exit code 1.
    """
    ends: tuple[type[Exception], ...] = (SettingsError, OSError, *expected)
    log_to_stderr()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        work(stop)
    except ends as error:
        logging.getLogger(f"zone_b.{name}").error("cannot go on: %s", error)
        return 1
    return 0
