"""Real runs that are spoiled while their signals flow, each in a way of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from harness.evidence.records import SIGHTING
from harness.process.faketime import find_library
from tests.stack import faked_clock
from tests.stack.running import Started, finish, start

LOAD_S = 8
AGENTS, RATE = 10, 50
DISK_MIB = 24
_HOG = Path(__file__).with_name("core_hog.py")


@dataclass(frozen=True, slots=True)
class Spoiled:
    """How a run ended that was spoiled.

    Attributes:
        output: what the terminal showed.
        folder: what it left; a copy where the original's disk is gone.
    """

    code: int
    output: str
    folder: Path

    def said(self) -> dict[str, str]:
        """What each check says that is not clean, by its name."""
        document = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        return {
            check["id"]: check["message"]
            for check in document["judgement"]["checks"]
            if check["status"] == "INVALID"
        }


def why_no_hog() -> str:
    """Why no core can be withheld here; empty when one can."""
    probe = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    return "" if done.returncode == 0 else "needs the right to real-time priority (root)"


def why_no_disk(place: Path) -> str:
    """Why no small disk can be made here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root"
    try:
        with small_disk(place):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"needs the right to mount: {error}"


def why_no_faketime() -> str:
    """Why no clock can be faked here; empty when it can."""
    return "" if find_library() else "needs libfaketime (Debian: faketime)"


def starve(place: Path) -> Spoiled:
    """The swarm is bound to one core, and another process takes that core from it."""
    run = _start(place)
    run.await_load()
    family = _family(run)
    swarm = _find(run, "harness.load.worker")
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(swarm.pid, {core})
    hog = subprocess.Popen([sys.executable, str(_HOG), str(core), str(LOAD_S - 2)])
    try:
        return Spoiled(*finish(run, family), run.folder())
    finally:
        hog.kill()
        hog.wait()


def begin_pause(place: Path) -> tuple[Started, Callable[[], None]]:
    """The observer is stopped for three seconds."""

    def spoil(run: Started) -> None:
        observer = _find(run, "harness.observe.worker")
        observer.send_signal(signal.SIGSTOP)
        time.sleep(3)
        observer.send_signal(signal.SIGCONT)

    run = _start(place)
    return run, lambda: spoil(run)


def begin_step(place: Path) -> tuple[Started, Callable[[], None]]:
    """PostgreSQL's clock is set forward by 2.5 s."""
    file = place / "offset"
    file.write_text("+0\n", encoding="ascii")
    # The server runs as another user, who must reach it.
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    run = _start(place, module="tests.stack.faked_clock", env={faked_clock.VARIABLE: str(file)})

    def spoil() -> None:
        draft = file.with_suffix(".new")
        draft.write_text("+2.5\n", encoding="ascii")
        draft.chmod(0o644)
        draft.replace(file)

    return run, spoil


def begin_fill(place: Path) -> tuple[Started, Callable[[], None]]:
    """The disk of the reports is filled to its last byte; `place` is a small disk."""

    def spoil() -> None:
        time.sleep(1)
        block = bytes(1 << 20)
        with (place / "filler").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(block)
                except OSError:
                    if len(block) == 1:
                        return
                    block = block[: len(block) // 2]

    return _start(place), spoil


def begin_clean(place: Path) -> tuple[Started, Callable[[], None]]:
    """Nothing is done to it."""
    return _start(place), lambda: None


def end(run: Started, spoil: Callable[[], None], keep: Path | None = None) -> Spoiled:
    """Spoil a run once its signals flow, and wait for its end.

    Args:
        run: under way.
        spoil: what to do to it.
        keep: where to copy what it left; None to leave it there.
    """
    run.await_load()
    family = _family(run)
    spoil()
    code, output = finish(run, family)
    folder = run.folder()
    if keep is not None:
        folder = Path(shutil.copytree(folder, keep / folder.name))
    return Spoiled(code, output, folder)


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A disk of DISK_MIB in memory."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(place)],  # noqa: S607 - the system's own
        check=True,
        capture_output=True,
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S607 - as above


def overflow(folder: Path, place: Path) -> Path:
    """A copy of a stored run in which the last sighting is moved beyond the histograms' range."""
    copied = Path(shutil.copytree(folder, place / folder.name))
    path = copied / "sightings.bin"
    sightings = np.fromfile(path, dtype=SIGHTING)
    sightings["seen_ns"][-1] += 5_000 * 10**9
    sightings.tofile(path)
    return copied


def _start(place: Path, module: str = "harness", env: dict[str, str] | None = None) -> Started:
    return start(place, LOAD_S, agents=AGENTS, rate=RATE, module=module, env=env)


def _family(run: Started) -> list[psutil.Process]:
    return psutil.Process(run.process.pid).children(recursive=True)


def _find(run: Started, mark: str) -> psutil.Process:
    found = run.find(mark)
    assert found is not None, mark
    return found
