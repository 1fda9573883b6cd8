"""Interrupting a stack at random moments: `python -m tests.docker.interrupted [TIMES] [SEED]`.

Each time a process of its own starts the stack and ends it again; it is interrupted somewhere in
between by SIGINT, SIGTERM or SIGKILL, and then nothing of it may be left.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.clock import SystemClock
from harness.docker.client import connect
from harness.docker.images import image_variables
from harness.docker.settings import DockerSettings
from harness.docker.stack import DockerStack
from harness.docker.sweep import Holdings, holdings
from harness.process.interrupt import Interrupted, interruptible
from harness.stack.settings import ROOT, StackSettings

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
# From before the first container to after the last one is gone.
DELAY_MAX_S = 9.0
_END_MAX_S = 60.0
_GONE_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one interruption left."""

    delay_s: float
    number: signal.Signals
    exit_code: int
    gone_after_s: float
    left: Holdings
    processes: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left."""
        return not self.left and self.processes == 0

    def __str__(self) -> str:
        left = "nothing left" if self.is_clean else f"left: {self.left}, {self.processes} processes"
        return (
            f"{self.number.name} after {self.delay_s:.2f} s: exit {self.exit_code}, "
            f"{left} {self.gone_after_s:.1f} s later"
        )


def settings() -> DockerSettings:
    """The offline images, as the tests use them."""
    images = image_variables(ROOT / "compose" / "images", "offline")
    return DockerSettings(StackSettings(), "offline", images)


def play() -> None:
    """Start a stack, wait to be interrupted, stop it."""
    with tempfile.TemporaryDirectory() as logs:
        stack = DockerStack(settings(), Path(logs), SystemClock())
        print(stack.token, flush=True)  # noqa: T201 - what the parent waits for
        try:
            with interruptible():
                try:
                    stack.start()
                    time.sleep(1.0)
                finally:
                    stack.stop()
        except Interrupted:
            sys.exit(4)


def interrupt_once(delay_s: float, number: signal.Signals) -> Outcome:
    """Start a stack in a process of its own and interrupt it."""
    words = [sys.executable, "-m", "tests.docker.interrupted", "play"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        token = process.stdout.readline().strip()
        time.sleep(delay_s)
        process.send_signal(number)
        code = process.wait(_END_MAX_S)
    ended = time.monotonic()
    client = connect()
    try:
        while True:
            left, running = holdings(client, token), _processes(token)
            elapsed_s = time.monotonic() - ended
            if (not left and not running) or elapsed_s > _GONE_MAX_S:
                return Outcome(delay_s, number, code, elapsed_s, left, running)
            time.sleep(0.1)
    finally:
        client.close()


def _processes(token: str) -> int:
    return sum(token in " ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"]))


def main(times: int, seed: int) -> int:
    """Interrupt so many times; how often something was left."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    failed = 0
    for turn in range(times):
        outcome = interrupt_once(chance.uniform(0.0, DELAY_MAX_S), SIGNALS[turn % len(SIGNALS)])
        failed += not outcome.is_clean
        print(f"{turn + 1:3d} {outcome}", flush=True)  # noqa: T201 - its report
    print(f"{times} interruptions, {failed} left something")  # noqa: T201 - its report
    return failed


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments == ["play"]:
        play()
    else:
        numbers = [int(text) for text in arguments] + [20, 1][len(arguments) :]
        sys.exit(1 if main(*numbers) else 0)
