"""Three ways to see a commit, side by side: delay, losses, and what each costs.

Medians of several takes; every take is one way at one rate. "none" is the same load without an
observer: what it costs is subtracted.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import psycopg
from numpy.typing import NDArray
from pydantic import SecretStr

from harness.analysis.clock_map import clock_maps, read_clock_samples
from harness.clock import NS_PER_MS, NS_PER_S, SystemClock
from harness.contract import trace_id
from harness.contract.names import Contract, State
from harness.errors import StackError
from harness.evidence.records import SIGHTING, Records, read_records
from harness.observe.plan import ObservationMethod, ObserverPlan
from harness.observe.rows import RunRows
from harness.process.child import ChildProcess
from tests.studies.bench.observing_cost import Cost, cost_between, read_cpu
from tests.studies.bench.observing_load import COMMITTED, Orders
from tests.studies.bench.observing_notify import NO_TRIGGER, TRIGGER
from tests.studies.bench.observing_servers import BenchServers, running_servers

WAYS = ("none", "polling", "notify", "logical")
RATES = (100, 500, 1000)
FLAT_OUT = 0
TAKE_S = 4.0
REPEATS = 3
# A take is tried again when other programs had more than this share of the host's CPU.
OTHERS_MAX = 0.05
TRIES = 2
_WORKERS = 2
_SETTLE_S = 0.5
_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Trial:
    """One way at one rate, once. Times in ms, CPU in us a signal.

    Attributes:
        others: share of the host's CPU that went to what is no part of the benchmark.
    """

    committed: int
    rate_per_s: float
    lost: int
    delay_ms: tuple[float, float, float]
    commit_ms: tuple[float, float]
    postgres_us: float
    walsender_us: float
    observer_us: float
    others: float


def take(servers: BenchServers, way: str, rate: float, duration_s: float = TAKE_S) -> Trial:
    """Run the load under one way of observing."""
    _clean(servers, trigger=way == "notify")
    run_tag = trace_id.new_run_tag()
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as text:
        folder = Path(text)
        observer = None if way == "none" else _observer(servers, way, run_tag, folder)
        try:
            cost = _load(servers, observer, run_tag, rate, duration_s, folder)
        finally:
            if observer is not None:
                _CLOCK.sleep_ns(round(_SETTLE_S * NS_PER_S))
                observer.stop(10)
        return _measured(servers, run_tag, folder, cost, duration_s)


def _observer(servers: BenchServers, way: str, run_tag: int, folder: Path) -> ChildProcess:
    plan = ObserverPlan(
        observer_dsn=SecretStr(servers.observer_dsn),
        run_tag=run_tag,
        folder=folder,
        method=ObservationMethod.POLLING if way == "polling" else ObservationMethod.LOGICAL,
    )
    module = "tests.studies.bench.observing_notify" if way == "notify" else "harness.observe.worker"
    child = ChildProcess(module, plan.to_stdin(), folder / "observer.log", "observer")
    child.start()
    deadline_ns = _CLOCK.now_ns() + 20 * NS_PER_S
    while child.latest is None:
        if child.poll() is not None or _CLOCK.now_ns() > deadline_ns:
            child.stop(1)
            raise StackError(f"the observer does not watch\n{child.log_tail()}")
        _CLOCK.sleep_ns(10 * NS_PER_MS)
    return child


def _load(
    servers: BenchServers,
    observer: ChildProcess | None,
    run_tag: int,
    rate: float,
    duration_s: float,
    folder: Path,
) -> Cost:
    t0_ns = _CLOCK.now_ns() + 1500 * NS_PER_MS
    workers = []
    for worker in range(_WORKERS):
        orders = Orders(
            dsn=servers.owner_dsn,
            run_tag=run_tag,
            worker=worker,
            workers=_WORKERS,
            rate_per_s=rate,
            t0_ns=t0_ns,
            duration_s=duration_s,
            path=folder / f"committed-{worker}.bin",
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.studies.bench.observing_load"],
            stdin=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(orders.model_dump_json())
        process.stdin.close()
        workers.append(process)
    pid = observer.pid if observer else None
    _CLOCK.sleep_ns(t0_ns - _CLOCK.now_ns())
    before = read_cpu(servers.postmaster, pid)
    # The workers' connections end with them, and with these what the server knows of their CPU.
    _CLOCK.sleep_ns(t0_ns + round((duration_s - 0.05) * NS_PER_S) - _CLOCK.now_ns())
    cost = cost_between(before, read_cpu(servers.postmaster, pid))
    for process in workers:
        if process.wait(30) != 0:
            raise StackError(f"a load process ended with {process.returncode}")
    return cost


def _measured(
    servers: BenchServers, run_tag: int, folder: Path, cost: Cost, duration_s: float
) -> Trial:
    committed = np.concatenate(
        [read_records(path, COMMITTED)[0] for path in sorted(folder.glob("committed-*.bin"))]
    )
    count = len(committed)
    span_s = (committed["done_ns"].max() - committed["intended_ns"].min()) / NS_PER_S
    commit_ms = (committed["done_ns"] - committed["queued_ns"]) / NS_PER_MS
    lost, delay_ms = 0, np.zeros(1)
    if (folder / "sightings.bin").exists():
        sightings, _ = read_records(folder / "sightings.bin", SIGHTING)
        seen = _seen_ns(sightings)
        lost = sum(key not in seen for key in _keys(committed))
        delay_ms = _delays_ms(servers, run_tag, folder, seen)
    p50, p99, p999 = np.percentile(delay_ms, [50, 99, 99.9])
    return Trial(
        committed=count,
        rate_per_s=count / span_s,
        lost=lost,
        delay_ms=(float(p50), float(p99), float(p999)),
        commit_ms=(float(np.percentile(commit_ms, 50)), float(np.percentile(commit_ms, 99))),
        postgres_us=cost.postgres_s / count * 1e6,
        walsender_us=cost.walsender_s / count * 1e6,
        observer_us=cost.observer_s / count * 1e6,
        others=cost.others_s / duration_s / (psutil.cpu_count() or 1),
    )


def _seen_ns(sightings: Records) -> dict[tuple[int, int], int]:
    final = sightings[sightings["state"] == State.SIMULATED]
    return dict(zip(_keys(final), final["seen_ns"].tolist(), strict=True))


def _keys(records: Records) -> list[tuple[int, int]]:
    return list(zip(records["trace_hi"].tolist(), records["trace_lo"].tolist(), strict=True))


def _delays_ms(
    servers: BenchServers, run_tag: int, folder: Path, seen: dict[tuple[int, int], int]
) -> NDArray[np.float64]:
    """Seen minus committed; the commit's time is asked for afterwards, in the same way for all."""
    probes, _ = read_clock_samples((folder / "clock.jsonl").read_text().splitlines())
    rows = RunRows(Contract(), run_tag, commit_times=True)
    with psycopg.connect(servers.observer_dsn) as connection, connection.cursor() as cursor:
        _, versions = rows.read(cursor, None)
        both = [
            (seen[key], version.commit_us)
            for version in versions
            if (key := (version.trace_hi, version.trace_lo)) in seen
        ]
    pairs = np.array(both, dtype=np.int64)
    committed_ns = clock_maps(probes)["postgres"].mono_ns(pairs[:, 1])
    delays: NDArray[np.float64] = (pairs[:, 0] - committed_ns) / NS_PER_MS
    return delays


def _clean(servers: BenchServers, *, trigger: bool) -> None:
    with psycopg.connect(servers.admin_dsn, autocommit=True) as connection:
        connection.execute(NO_TRIGGER.encode())
        connection.execute("TRUNCATE trade_tasks, ledger_entries, nonce_locks")
        if trigger:
            connection.execute(TRIGGER.encode())
        connection.execute("CHECKPOINT")


def compare(servers: BenchServers, rate: float, repeats: int = REPEATS) -> dict[str, list[Trial]]:
    """Every way at one rate, in turns, so that a slow minute of the host hits all of them."""
    takes: dict[str, list[Trial]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way in WAYS:
            takes[way].append(idle_take(servers, way, rate))
    return takes


def idle_take(servers: BenchServers, way: str, rate: float) -> Trial:
    """The first take that had the host nearly for itself, or else the least busy."""
    takes: list[Trial] = []
    for _ in range(TRIES):
        takes.append(take(servers, way, rate))
        if takes[-1].others <= OTHERS_MAX:
            break
    return min(takes, key=lambda one: one.others)


HEAD = (
    "  rate  way      signals  lost   delay P50/P99/P99.9 ms   commit P50/P99 ms"
    "   PostgreSQL us  of it walsender  observer us  (CPU a signal)  others' CPU"
)


def line(rate: float, way: str, takes: Sequence[Trial]) -> str:
    """Medians of takes; losses and signals are summed."""
    p50, p99, p999 = (statistics.median(t.delay_ms[n] for t in takes) for n in range(3))
    commit_p50, commit_p99 = (statistics.median(t.commit_ms[n] for t in takes) for n in range(2))
    flat_out = f"{statistics.median(t.rate_per_s for t in takes):5.0f}*"
    delay = f"{p50:6.2f} {p99:7.2f} {p999:8.2f}" if way != "none" else f"{'-':>23}"
    walsender = statistics.median(t.walsender_us for t in takes)
    total = statistics.median(t.postgres_us for t in takes) + walsender
    observer = statistics.median(t.observer_us for t in takes)
    return (
        f"{f'{rate:6.0f}' if rate else flat_out}  {way:<8}"
        f" {sum(t.committed for t in takes):7d} {sum(t.lost for t in takes):5d}"
        f"  {delay}      {commit_p50:6.2f} {commit_p99:7.2f}"
        f"     {total:8.0f}       {walsender:8.0f}      {observer:8.0f}"
        f"                 {max(t.others for t in takes):6.1%}"
    )


def observing_costs(rate: float, found: Mapping[str, Sequence[Trial]]) -> str:
    """What each way adds to PostgreSQL's CPU, and what is left of the throughput."""
    used = {
        way: statistics.median(t.postgres_us + t.walsender_us for t in takes)
        for way, takes in found.items()
    }
    speed = {way: statistics.median(t.rate_per_s for t in takes) for way, takes in found.items()}
    ways = [way for way in found if way != "none"]
    added = ", ".join(f"{way} {used[way] - used['none']:+.0f} us" for way in ways)
    if rate:
        return f"at {rate:.0f}/s a signal costs PostgreSQL: {added}"
    left = ", ".join(f"{way} {speed[way] / speed['none']:.0%}" for way in ways)
    return f"flat out, of the throughput without an observer: {left}"


def main(repeats: int = REPEATS) -> int:
    """Print the comparison; 1 if logical decoding lost a signal."""
    lost = 0
    summary = []
    with running_servers() as servers:
        print(f"{servers.versions}; medians of {repeats} takes of {TAKE_S:.0f} s; * flat out")
        print(HEAD)
        for rate in (*RATES, FLAT_OUT):
            found = compare(servers, rate, repeats)
            for way, takes in found.items():
                print(line(rate, way, takes), flush=True)
            lost += sum(t.lost for t in found["logical"])
            summary.append(observing_costs(rate, found))
    print("\n".join(summary))
    return min(lost, 1)


if __name__ == "__main__":
    sys.exit(main())
