"""Folders of runs, groups and rounds: unique names that sort by time, and names in evidence."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from harness.clock import NS_PER_S
from harness.evidence import atomic_files

_NAMES_TRIED = 20
# Most file systems allow so many bytes (NAME_MAX, limits.h).
_NAME_BYTES_MAX = 255


def _check_name(text: str) -> str:
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        raise ValueError("is no name of a file")
    if len(os.fsencode(text)) > _NAME_BYTES_MAX:
        raise ValueError(f"is longer than {_NAME_BYTES_MAX} bytes")
    return text


# A name in stored evidence: no path, so that no file outside the folder is read.
FileName = Annotated[str, AfterValidator(_check_name)]


def create_unique_folder(reports: Path, name: str, wall_ns: int, kind: str = "") -> Path:
    """Make `<UTC time>-<name>-<four random hex digits>[-<kind>]`; returns its absolute path.

    Two runs of one second may draw the same digits: an existing name is drawn again.

    Raises:
        EvidenceError: it cannot be made.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(wall_ns / NS_PER_S))
    ending = f"-{kind}" if kind else ""
    path = reports.absolute()
    exists: OSError | None = None
    for _ in range(_NAMES_TRIED):
        path = reports.absolute() / f"{stamp}-{name}-{secrets.token_hex(2)}{ending}"
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            exists = error
        except OSError as error:
            raise atomic_files.io_error("create", path, error) from error
        else:
            return path
    raise atomic_files.io_error("create", path, exists or OSError()) from exists
