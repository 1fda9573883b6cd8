"""Carries a journal from pipes to files, in a process of its own: `python scribe.py FROM:TO ...`.

A write to a file can wait for milliseconds while the file system commits what others have synced,
and databases sync all the time; a write to a pipe cannot. What is in the pipe is safe from the
death of its writer: this process takes it out, to the last byte, and ends when the pipe does.

Stands alone (standard library only), so that it starts quickly and stays small.
"""

from __future__ import annotations

import os
import select
import sys
import time

# Between two looks: fewer wake-ups than signals, and soon enough for whoever watches the files.
PAUSE_S = 0.005
_CHUNK = 1 << 20


def carry(pairs: dict[int, int], pause_s: float = PAUSE_S) -> None:
    """Copy from each descriptor to its file until all of them have ended.

    Args:
        pairs: from readable descriptors to files; all are closed.
        pause_s: rest between two looks.

    Raises:
        OSError: a file takes no more.
    """
    open_pairs = dict(pairs)
    poll = select.poll()
    for source in open_pairs:
        poll.register(source, select.POLLIN)
    while open_pairs:
        for source, _ in poll.poll():
            data = os.read(source, _CHUNK)
            if data:
                _write_all(open_pairs[source], data)
            else:
                poll.unregister(source)
                os.close(source)
                os.close(open_pairs.pop(source))
        time.sleep(pause_s)


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def main() -> int:
    """Exit code: 0, or the number of the error."""
    try:
        carry({int(a): int(b) for a, _, b in (p.partition(":") for p in sys.argv[1:])})
    except OSError as error:
        return error.errno or 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
