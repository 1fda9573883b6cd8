"""`make bench`: every benchmark, or those that are named: `python -m tests.studies.bench lateness`.

Each prints its figures and returns 0, or 1 where a ratio it asserts is not reached.
"""

from __future__ import annotations

import importlib
import sys

# In the order of the way the data goes: sending, seeing, recording, the whole of it, judging it.
BENCHMARKS = (
    "codecs", "lateness", "sending", "observing", "recording", "calibration", "coverage", "power",
    "interim", "group_power", "shares", "spoiled", "report", "telemetry",
)  # fmt: skip


def main(names: list[str]) -> int:
    """Run benchmarks; the number of those that fell short."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
        return 2
    short = []
    for name in names or BENCHMARKS:
        print(f"\n=== {name} ===", flush=True)
        if importlib.import_module(f"tests.studies.bench.{name}").main() != 0:
            short.append(name)
    if short:
        print(f"\nbelow what was asked: {', '.join(short)}")
    return min(len(short), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
