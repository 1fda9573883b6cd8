"""Private folders of a run, and sweeping up those of runs that died."""

from __future__ import annotations

import atexit
import json
import os
import tempfile
from pathlib import Path

from harness.errors import StackError
from harness.process.ending import end, remove
from harness.process.proc import is_running, start_ticks
from harness.stack.identity import User, server_user

PREFIX = "harness-stack-"
_OWNER = "owner.json"
_SWEEP_MAX = 64


def create_private_dir(base: Path | None = None) -> Path:
    """Make a new private folder, after sweeping up what dead runs left there.

    Args:
        base: where; the first temporary folder that the servers' user can reach if absent.

    Raises:
        StackError: it cannot be made.
    """
    base = base or _base(server_user())
    sweep_stale(base)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        claim_dir(folder)
    except OSError as error:
        raise StackError(f"no private folder can be made: {error}", where=str(base)) from error
    # For callers that fail before a stack makes the folder its own.
    atexit.register(remove, (str(folder),))
    return folder


def claim_dir(folder: Path) -> None:
    """Make a folder this process's: others may pass through it, and it is known whose it is."""
    folder.mkdir(parents=True, exist_ok=True)
    # A server that runs as another user must get through to the folder it owns.
    folder.chmod(0o711)
    owner = {"pid": os.getpid(), "ticks": start_ticks(os.getpid())}
    (folder / _OWNER).write_text(json.dumps(owner), encoding="ascii")


def sweep_stale(base: Path) -> tuple[Path, ...]:
    """End what dead runs left running and remove their folders.

    Only folders of the calling user that name an owner which is no more are touched.

    Returns:
        the folders that were swept.
    """
    stale = tuple(folder for folder in sorted(base.glob(f"{PREFIX}*")) if _is_stale(folder))
    for folder in stale[:_SWEEP_MAX]:
        end((), "", (str(folder),), 1.0)
        remove((str(folder),))
    return stale[:_SWEEP_MAX]


def _is_stale(folder: Path) -> bool:
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            return False
        owner = json.loads((folder / _OWNER).read_text(encoding="ascii"))
        return not is_running(int(owner["pid"]), int(owner["ticks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False  # no owner known: somebody may be about to write it


def _base(user: User) -> Path:
    for text in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes it safe
        if user.reaches(Path(text)):
            return Path(text)
    return Path(tempfile.gettempdir())
