"""A harness in miniature: starts a stack, tells what it started, waits to be ended.

`python -m tests.stack.process_script REPOSITORY PRIVATE_DIR LOGS_DIR`; a line of JSON on stdout
when the stack is up. Ends on a signal or at the end of stdin.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.clock import SystemClock
from harness.process.interrupt import Interrupted, interruptible
from harness.stack.process.stack import ProcessStack
from harness.stack.settings import StackSettings


def main() -> int:
    """Run until a signal ends it."""
    root, private_dir, logs_dir = (Path(text) for text in sys.argv[1:4])
    stack = ProcessStack(StackSettings(root=root), private_dir, logs_dir, SystemClock())
    try:
        with interruptible():
            try:
                stack.start()
                facts = {
                    "ports": stack.describe()["ports"],
                    "pids": {state.name: state.pid for state in stack.services()},
                    "warden": stack.describe()["warden"]["pid"],
                    "uid": stack.describe()["postgres"]["uid"],
                }
                sys.stdout.write(json.dumps(facts) + "\n")
                sys.stdout.flush()
                sys.stdin.read()
            finally:
                stack.stop()
    except Interrupted:
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
