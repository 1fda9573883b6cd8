"""Remove from the environment what would change programs without being asked for.

Programs, libraries and modules are not searched for in the current folder. libpq connects as its
arguments say, not as its variables and files do. Child processes inherit this.
Standard library only: it runs before everything else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

# Colon-separated lists in which an empty or relative entry stands for the current folder.
_LISTS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
# Of libpq's variables only those that a contract may name for a login.
_LOGIN = frozenset({"PGUSER", "PGPASSWORD"})
# An interpreter that is started with one of these does something else besides, or does not end.
_PYTHON = ("PYTHONSTARTUP", "PYTHONINSPECT")
# Below a file there is nothing: libpq searches for ~/.pgpass where this is not set.
_NO_FILE = f"{os.devnull}/none"


def sanitize_process(env: MutableMapping[str, str] = os.environ) -> None:
    """Tidy the environment, the module path and the file mode mask of this process."""
    _sanitize_mask()
    sanitize_environment(env)
    sys.path[:] = sanitize_module_path(sys.path)


@contextmanager
def sanitized() -> Iterator[None]:
    """Tidy environment and file mode mask of this process while the block lasts.

    For a run in a process that is not our own: its module path stays as it is.
    """
    before, mask = dict(os.environ), _sanitize_mask()
    try:
        sanitize_environment(os.environ)
        yield
    finally:
        os.umask(mask)
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def sanitize_environment(env: MutableMapping[str, str]) -> None:
    """Take away what points to the current folder, and what libpq or Python would add."""
    for name in _LISTS:
        if name in env:
            env[name] = os.pathsep.join(filter(os.path.isabs, env[name].split(os.pathsep)))
            if not env[name]:
                del env[name]
    env.setdefault("PATH", os.defpath)
    for name in [name for name in env if _is_libpq(name) or name in _PYTHON]:
        del env[name]
    env["PGPASSFILE"] = _NO_FILE
    try:
        Path.home()
    except RuntimeError:  # neither a variable nor an entry in the list of users names it
        env["HOME"] = "/"
    env["PYTHONSAFEPATH"] = "1"


def sanitize_module_path(path: list[str]) -> list[str]:
    """The module path without the current folder, unless the harness itself lies there."""
    own = Path(__file__).resolve().parents[2]
    try:
        here = Path.cwd()
    except OSError:  # it is gone, and has no modules
        return [entry for entry in path if entry]
    if here == own:
        return path
    return [entry for entry in path if entry and Path(entry).absolute() != here]


def _sanitize_mask() -> int:
    """The owner of what is made can use it, and not everybody can write it; the mask before."""
    before = os.umask(0o077)
    os.umask(before & 0o077 | 0o002)
    return before


def _is_libpq(name: str) -> bool:
    # Its variables have no underscore (https://www.postgresql.org/docs/16/libpq-envars.html).
    return name.startswith("PG") and "_" not in name and name not in _LOGIN
