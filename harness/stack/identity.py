"""Who runs the servers: the caller, or a user without rights when the caller is root."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from harness.process.launch import KEEP

# "nobody" on the systems we know; PostgreSQL refuses to run as root.
_UNPRIVILEGED = 65534


@dataclass(frozen=True, slots=True)
class User:
    """A user and group; KEEP for the caller's own."""

    uid: int = KEEP
    gid: int = KEEP

    @property
    def effective_uid(self) -> int:
        """The number a process of this user runs under."""
        return os.geteuid() if self.uid == KEEP else self.uid

    def own(self, path: Path) -> None:
        """Make a file or folder this user's."""
        if self.uid != KEEP:
            os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Whether this user may enter every folder on the way to `path` and read it."""
        if self.uid == KEEP:
            return True
        try:
            way = path.resolve(strict=True)
            return all(self._may(place.stat()) for place in (way, *way.parents))
        except OSError:
            return False

    def _may(self, facts: os.stat_result) -> bool:
        if facts.st_uid == self.uid:
            needed = (stat.S_IRUSR, stat.S_IXUSR)
        elif facts.st_gid == self.gid:
            needed = (stat.S_IRGRP, stat.S_IXGRP)
        else:
            needed = (stat.S_IROTH, stat.S_IXOTH)
        read, enter = needed
        return bool(facts.st_mode & (enter if stat.S_ISDIR(facts.st_mode) else read))


def can_execute(path: Path) -> bool:
    """Whether the caller may run it; a folder on the PATH that is closed to the caller is a no."""
    return shutil.which(path) is not None


def server_user() -> User:
    """The user for servers that refuse root."""
    return User(_UNPRIVILEGED, _UNPRIVILEGED) if os.geteuid() == 0 else User()
