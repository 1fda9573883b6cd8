"""A stand-in for the AI feedback service: turns the newest chain event into a prompt file.

    PROMPTS_DIR       where the files go (/prompts)
    FEEDBACK_EVERY_S  time between two polls (5)
    FEEDBACK_KEEP     files that are kept, the newest ones (100)

It joins no consumer group: it polls the newest event, and changes no group's counters.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wire import Redis, RedisError, decode_sync_block

_FAILURES_MAX = 10
_PROMPT = """\
# Block {block}

The head of the chain is block {block}. For each strategy whose trades of the last ten blocks were
rejected, say which of its assumptions no longer holds.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings."""

    redis_url: str
    prefix: str
    folder: Path
    every_s: float
    keep: int


def read_settings(env: Mapping[str, str]) -> Settings:
    """Settings from the environment.

    Raises:
        ValueError: a value is missing or out of range.
    """
    if not env.get("DEFI_REDIS_URL"):
        raise ValueError("DEFI_REDIS_URL is missing")
    settings = Settings(
        redis_url=env["DEFI_REDIS_URL"],
        prefix=env.get("DEFI_PREFIX", "dev:"),
        folder=Path(env.get("PROMPTS_DIR") or "/prompts"),
        every_s=float(env.get("FEEDBACK_EVERY_S") or 5),
        keep=int(env.get("FEEDBACK_KEEP") or 100),
    )
    if not 0.01 <= settings.every_s <= 3600 or not 1 <= settings.keep <= 100_000:
        raise ValueError("FEEDBACK_EVERY_S must lie in 0.01..3600, FEEDBACK_KEEP in 1..100000")
    return settings


def newest_block(redis: Redis, key: str) -> int:
    """Block of the newest chain event; 0 if there is none that can be read."""
    for _, fields in redis.command("XREVRANGE", key, "+", "-", "COUNT", 1):
        pairs = dict(zip(fields[::2], fields[1::2], strict=False))
        try:
            return decode_sync_block(pairs.get(b"data", b""))
        except ValueError:
            return 0
    return 0


def write_prompt(folder: Path, block: int, keep: int) -> Path:
    """Write a block's prompt, whole or not at all, and drop the oldest beyond `keep`."""
    path = folder / f"block-{block:020d}.md"
    part = path.with_suffix(".part")
    part.write_text(_PROMPT.format(block=block), encoding="utf-8")
    part.replace(path)
    for old in sorted(folder.glob("block-*.md"))[:-keep]:
        old.unlink(missing_ok=True)
    return path


def run(settings: Settings, stop: threading.Event) -> int:
    """Poll until the signal to stop; the exit code."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    written = failures = 0
    while not stop.is_set():
        try:
            redis = Redis(settings.redis_url)
            try:
                block = newest_block(redis, f"{settings.prefix}stream:chain:events")
            finally:
                redis.close()
            failures = 0
        except (OSError, RedisError) as error:
            block = 0
            failures += 1
            if failures >= _FAILURES_MAX:
                say(f"Redis did not answer {failures} times: {error}")
                return 1
        if block > written:
            say(f"wrote {write_prompt(settings.folder, block, settings.keep)}")
            written = block
        stop.wait(settings.every_s)
    return 0


def say(text: str) -> None:
    """One line to the log."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the container's log


def main() -> int:
    """Run the service; the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        return run(read_settings(os.environ), stop)
    except (OSError, ValueError) as error:
        say(f"cannot go on: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
