"""One line per event on standard error."""

from __future__ import annotations

import logging
import sys


def log_to_stderr() -> None:
    """Send this process's log to standard error, with its process id."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s.%(msecs)03d %(levelname)s %(process)d %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
