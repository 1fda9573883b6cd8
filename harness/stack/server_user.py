"""Who runs the servers: the caller, or a user without rights when the caller is root."""

from __future__ import annotations

import grp
import os
import pwd
import random
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import StackError
from harness.process.launch import KEEP
from harness.process.proc import owners
from harness.process.reservation import reserve

# Numbers that systemd, too, gives to users that live as long as their service
# (https://systemd.io/UIDS-GIDS/); no package and no administrator assigns them.
_DYNAMIC = range(61_184, 65_520)
_TRIES_MAX = 200
_MAP = Path("/proc/self/uid_map")
_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class User:
    """A user and group; KEEP for the caller's own."""

    uid: int = KEEP
    gid: int = KEEP

    @property
    def effective_uid(self) -> int:
        """The number a process of this user runs under."""
        return os.geteuid() if self.uid == KEEP else self.uid

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


@cache
def server_user() -> User:
    """The user for servers that refuse root; of root's, one that this process has to itself.

    User and group have the same number, no name, and no process.

    Raises:
        StackError: none was found in a bounded number of tries.
    """
    if os.geteuid() != 0:
        return User()
    mapped = _mapped()
    possible = [number for number in _DYNAMIC if any(number in part for part in mapped)]
    used = owners()
    for number in random.sample(possible, min(_TRIES_MAX, len(possible))):
        if number not in used and not _is_named(number) and reserve(f"uid/{number}"):
            return User(number, number)
    raise StackError(
        f"no user without a name and processes among {_DYNAMIC[0]} to {_DYNAMIC[-1]}",
        where="postgres",
        hint="PostgreSQL refuses to run as root; run the harness as an ordinary user",
    )


def named_user(user: User) -> User:
    """A user that has a name, as initdb wants it, in the group of `user`.

    Raises:
        StackError: the system knows none; the caller, or "nobody", is not in its list.
    """
    try:
        if user.uid == KEEP:
            pwd.getpwuid(os.geteuid())
            return user
        return User(pwd.getpwnam(_UNPRIVILEGED).pw_uid, user.gid)
    except KeyError:
        who = f"user {os.geteuid()}" if user.uid == KEEP else f"user {_UNPRIVILEGED!r}"
        raise StackError(
            f"{who} has no entry in the list of users, and initdb refuses such a one",
            where="postgres",
            hint="add it to /etc/passwd; `harness judge` and `harness report` need none",
        ) from None


def change_owner(folder: Path, giver: User, user: User) -> None:
    """Make a tree that `giver` has made the `user`'s; nothing else, and no link is followed.

    Raises:
        StackError: something in it is not the giver's alone.
        OSError: it cannot be read or changed.
    """
    if giver == user:
        return
    for place, folders, files, place_fd in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            facts = os.stat(name, dir_fd=place_fd, follow_symlinks=False)
            is_own = stat.S_ISDIR(facts.st_mode) or facts.st_nlink == 1
            if facts.st_uid not in (giver.uid, user.uid) or not is_own:
                raise StackError("was not made by initdb", where=str(Path(place) / name))
            os.chown(name, user.uid, user.gid, dir_fd=place_fd, follow_symlinks=False)
        os.fchown(place_fd, user.uid, user.gid)


def _is_named(number: int) -> bool:
    for look_up in (pwd.getpwuid, grp.getgrgid):
        with suppress(KeyError):
            look_up(number)
            return True
    return False


def _mapped() -> tuple[range, ...]:
    """The numbers that this user namespace knows (user_namespaces(7), uid_map)."""
    try:
        lines = [line.split() for line in _MAP.read_text(encoding="ascii").splitlines()]
        return tuple(range(int(first), int(first) + int(count)) for first, _, count in lines)
    except (OSError, ValueError):
        return (_DYNAMIC,)
