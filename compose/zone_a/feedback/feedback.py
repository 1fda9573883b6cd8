"""A stand-in for the AI feedback service: writes prompts to its volume, a bounded number of them.

Variables: FEEDBACK_EVERY_S, FEEDBACK_KEEP.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

_FOLDER = Path("/prompts")


def main() -> int:
    """Write prompts until told to end; the exit code."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    every_s = float(os.environ.get("FEEDBACK_EVERY_S", "10"))
    keep = int(os.environ.get("FEEDBACK_KEEP", "100"))
    while True:
        write_prompt(_FOLDER, time.time_ns(), keep)
        if stopping.wait(every_s):
            return 0


def write_prompt(folder: Path, now_ns: int, keep: int) -> None:
    """Write one prompt and remove the oldest ones beyond `keep`."""
    prompt = {"written_ns": now_ns, "prompt": "Which of the last rejected signals was avoidable?"}
    (folder / f"{now_ns:020d}.json").write_text(json.dumps(prompt), encoding="utf-8")
    for old in sorted(folder.glob("*.json"))[:-keep]:
        old.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
