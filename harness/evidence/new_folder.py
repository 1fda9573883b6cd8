"""Folders of runs, groups and rounds: named so that they sort by time and never meet."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from harness.clock import NS_PER_S
from harness.evidence import atomic_files

_NAMES_TRIED = 20


def create_unique_folder(reports: Path, name: str, wall_ns: int, kind: str = "") -> Path:
    """Make `<UTC time>-<name>-<four random hex digits>[-<kind>]`; its absolute path.

    Digits that are taken, which two runs of one second may draw, are drawn again.

    Raises:
        EvidenceError: it cannot be made.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(wall_ns / NS_PER_S))
    ending = f"-{kind}" if kind else ""
    path = reports.absolute()
    taken: OSError | None = None
    for _ in range(_NAMES_TRIED):
        path = reports.absolute() / f"{stamp}-{name}-{secrets.token_hex(2)}{ending}"
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            taken = error
        except OSError as error:
            raise atomic_files.io_error("create", path, error) from error
        else:
            return path
    raise atomic_files.io_error("create", path, taken or OSError()) from taken
