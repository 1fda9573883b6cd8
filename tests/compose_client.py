"""The Compose clients at hand: the current one of the test extras, and version 1 where it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from harness.stack.settings import ROOT

# The test extras bring the first, Debian 12 the second.
CURRENT, V1 = "current", "1.29"
KINDS = (CURRENT, V1)
_ENDS_MAX_S = 100


@dataclass(frozen=True, slots=True)
class Compose:
    """A client, and what it is run with.

    Attributes:
        program: its words.
        version: as it says.
        project: name of the project.
        variables: of the Compose files; none of the shell's own COMPOSE_* reaches the client.
    """

    program: tuple[str, ...]
    version: str
    project: str = ""
    variables: tuple[tuple[str, str], ...] = ()

    def run(self, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever that is."""
        kept = {key: text for key, text in os.environ.items() if not key.startswith("COMPOSE_")}
        return subprocess.run(
            [*self.program, *(("--project-name", self.project) if self.project else ()), *words],
            cwd=cwd,
            env={**kept, **dict(self.variables)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_ENDS_MAX_S,
        )

    def done(self, *words: str) -> str:
        """Run it; what it printed.

        Raises:
            AssertionError: it failed; with what it said.
        """
        ended = self.run(*words)
        assert ended.returncode == 0, f"{self.program} {words}: {ended.stderr}"
        return ended.stdout


def client(kind: str, project: str, variables: Mapping[str, str]) -> Compose:
    """The client of a kind; the test is skipped where it is not installed."""
    for found in _installed():
        if found.version.startswith("1.") == (kind == V1):
            return Compose(found.program, found.version, project, tuple(variables.items()))
    how = "pip install '.[dev]'" if kind == CURRENT else "Debian 12: apt-get install docker-compose"
    pytest.skip(f"docker-compose of this kind ({kind}) is not installed: {how}")


@cache
def _installed() -> tuple[Compose, ...]:
    """Every client, that of this Python's environment first."""
    found = []
    for program in _programs():
        try:
            version = Compose(program, "").run("version", "--short")
        except (OSError, subprocess.TimeoutExpired):
            continue
        if version.returncode == 0:
            found.append(Compose(program, version.stdout.strip().removeprefix("v")))
    return tuple(found)


def _programs() -> Iterator[tuple[str, ...]]:
    folders = (sysconfig.get_path("scripts"), *os.get_exec_path())
    for path in dict.fromkeys(Path(folder) / "docker-compose" for folder in folders):
        if os.access(path, os.X_OK):
            yield (str(path),)
    if docker := shutil.which("docker"):
        yield docker, "compose"
