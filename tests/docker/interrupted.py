"""Interrupting a stack or a whole run at random: `python -m tests.docker.interrupted run|stack`.

Further arguments: how many times (20), and a seed (1). Each time a process of its own starts the
stack and ends it again; it is interrupted somewhere in between by SIGINT, SIGTERM or SIGKILL, and
then nothing of it may be left: no container, network, volume, loop device or process.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.clock import SystemClock
from harness.process.interrupt import Interrupted, interruptible
from harness.stack.docker.client import Client, connect
from harness.stack.docker.images import image_variables
from harness.stack.docker.labels import OWNER, Owner
from harness.stack.docker.loop_devices import name_of
from harness.stack.docker.settings import ENGINE, DockerSettings
from harness.stack.docker.stack import DockerStack
from harness.stack.settings import ROOT, StackSettings

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
_PLAY = "play"
_CONTAINERS = ("--stack", "docker", "--images", "offline")
_RUN = ("run", "scenarios/smoke.toml", *_CONTAINERS, "--duration", "3")
# From before the first container to after the last one is gone.
_DELAY_MAX_S = {"stack": 10.0, "run": 24.0}
_END_MAX_S = 60.0
_GONE_MAX_S = 30.0
# LOOP_GET_STATUS64 and its struct loop_info64 (linux/loop.h).
_GET_STATUS, _STATUS_BYTES, _NAME_AT = 0x4C05, 232, 56


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one interruption left.

    Attributes:
        children: processes that it had when it was interrupted.
        left: names of things in the engine, and ids of processes.
    """

    delay_s: float
    number: signal.Signals
    exit_code: int
    children: int
    gone_after_s: float
    left: tuple[str, ...]

    def __str__(self) -> str:
        left = f"left: {', '.join(self.left)}" if self.left else "nothing left"
        return (
            f"{self.number.name} after {self.delay_s:.2f} s with {self.children} children: "
            f"exit {self.exit_code}, {left} {self.gone_after_s:.1f} s later"
        )


def settings() -> DockerSettings:
    """The offline images, as the tests use them; the engine's data on a disk of its own."""
    images = image_variables(ROOT / "compose" / "images", "offline")
    own = frozenset({ENGINE} if has_loops() else ())
    return DockerSettings(StackSettings(), "offline", images, own_disks=own)


def has_loops() -> bool:
    """Whether this user may have loop devices here."""
    return os.access("/dev/loop-control", os.R_OK | os.W_OK)


def play() -> None:
    """Start a stack, wait to be interrupted, stop it."""
    with tempfile.TemporaryDirectory() as logs:
        stack = DockerStack(settings(), Path(logs), SystemClock())
        try:
            with interruptible():
                try:
                    stack.start()
                    time.sleep(1.0)
                finally:
                    stack.stop()
        except Interrupted:
            sys.exit(4)


def interrupt_once(what: str, delay_s: float, number: signal.Signals) -> Outcome:
    """Start a stack or a run in a process of its own and interrupt it."""
    with tempfile.TemporaryDirectory() as reports:
        words = {
            "stack": ("-m", "tests.docker.interrupted", _PLAY),
            "run": ("-m", "harness", *_RUN, "--reports", reports),
        }[what]
        with subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        ) as process:
            time.sleep(delay_s)
            children = _children(process.pid)
            process.send_signal(number)
            code = process.wait(_END_MAX_S)
    ended = time.monotonic()
    client = connect()
    try:
        while True:
            left = (
                *_in_engine(client, process.pid),
                *_loops(process.pid),
                *(str(child.pid) for child in children if _runs(child)),
            )
            elapsed_s = time.monotonic() - ended
            if not left or elapsed_s > _GONE_MAX_S:
                return Outcome(delay_s, number, code, len(children), elapsed_s, left)
            time.sleep(0.1)
    finally:
        client.close()


def main(what: str, times: int, seed: int) -> int:
    """Interrupt so many times; how often something was left."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    failed = 0
    for turn in range(times):
        delay_s = chance.uniform(0.0, _DELAY_MAX_S[what])
        outcome = interrupt_once(what, delay_s, SIGNALS[turn % len(SIGNALS)])
        failed += bool(outcome.left)
        print(f"{turn + 1:3d} {outcome}", flush=True)  # noqa: T201 - its report
    print(f"{times} interruptions, {failed} left something")  # noqa: T201 - its report
    return failed


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:  # it was over before
        return []


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _in_engine(client: Client, pid: int) -> list[str]:
    api, filters = client.api, {"label": OWNER}
    containers = api.containers(all=True, filters=filters)
    named = [(entry["Names"][0], entry["Labels"]) for entry in containers]
    others = (*api.networks(filters=filters), *(api.volumes(filters=filters)["Volumes"] or ()))
    named += [(entry["Name"], entry["Labels"]) for entry in others]
    return [name for name, labels in named if _owner(labels) == pid]


def _loops(pid: int) -> list[str]:
    """Devices that a process has bound, whoever holds them now."""
    found = []
    for path in Path("/dev").glob("loop[0-9]*"):
        reported = bytearray(_STATUS_BYTES)
        with suppress(OSError), path.open("rb") as device:  # one that is free tells nothing
            fcntl.ioctl(device, _GET_STATUS, reported)
        name = bytes(reported[_NAME_AT:]).partition(b"\0")[0]
        if name.decode() == name_of(pid):
            found.append(str(path))
    return found


def _owner(labels: dict[str, str]) -> int:
    owner = Owner.parse(labels[OWNER])
    return owner.pid if owner else 0


if __name__ == "__main__":
    if sys.argv[1:] == [_PLAY]:
        play()
    else:
        arguments = sys.argv[1:] + ["run", "20", "1"][len(sys.argv) - 1 :]
        sys.exit(1 if main(arguments[0], int(arguments[1]), int(arguments[2])) else 0)
