"""A small service of Zone B as a program, started as its container starts it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from harness.stack.ports import free_port

COMPOSE = Path(__file__).resolve().parents[2] / "compose"
PATIENCE_S = 10


@contextmanager
def service(module: str, log: Path, **env: str) -> Iterator[int]:
    """A service of Zone B as its container starts it; its HTTP port."""
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(COMPOSE),
                "DEFI_REDIS_URL": "redis://127.0.0.1:1/0",
                "DEFI_HTTP_PORT": str(port),
                **env,
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    assert code == 0, log.read_text()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """One HTTP request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()


def eventually(true: Callable[[], bool], what: str) -> None:
    """Wait until something holds; bounded."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        if true():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


def is_up(port: int) -> bool:
    """Whether the service is healthy."""
    try:
        return ask(port, "GET", "/healthz")[0] == 200
    except (OSError, http.client.HTTPException):
        return False
