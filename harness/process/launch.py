"""Becoming another program: as another user if asked to, and ended with the parent.

A small program of its own, because doing this between fork and exec of a process with threads is
not safe, and because a change of user would undo the bond. Started by path with the bare
interpreter (20 ms).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # Last: an installed package lies among others, none of which may replace a standard module.
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from harness.process.parent_death import die_with_parent

KEEP = -1


def module_command(module: str) -> tuple[str, ...]:
    """The command line of a Python module that imports nothing from the current folder."""
    return (sys.executable, "-P", "-m", module)


def command(
    argv: tuple[str, ...], *, parent: int, death_signal: int, uid: int = KEEP, gid: int = KEEP
) -> list[str]:
    """The command line that starts `argv` by way of this program.

    Args:
        argv: what to become.
        parent: pid of the process that starts it.
        death_signal: what the kernel sends when the parent ends.
        uid: user to become; KEEP to stay.
        gid: group to become; KEEP to stay.
    """
    numbers = (str(number) for number in (parent, death_signal, uid, gid))
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve()), *numbers, *argv]


def main() -> None:
    """Do as the command line says."""
    parent, death_signal, uid, gid = (int(text) for text in sys.argv[1:5])
    argv = sys.argv[5:]
    if uid != KEEP:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    die_with_parent(death_signal, parent=parent)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - argv was built by the parent
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: cannot be executed: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    main()
