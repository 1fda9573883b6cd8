"""Real runs: what passes, every planned defect, every fault of child processes, what is spoiled."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from examples.broker.broker import DEFECTS
from tests.corpus.commands import SHORT, cleaned, harness
from tests.corpus.entries import Entry
from tests.stack import spoiled_runs
from tests.stack.conftest import running_servers, start_postgres, start_redis
from tests.stack.external_broker import WAYS, Broker
from tests.stack.external_system import Attached, ExternalSystem
from tests.stack.running import ROOT, finish, start
from tests.studies.matrix.rows import ROWS, Row
from tests.studies.matrix.runs import SCENARIO as MATRIX
from tests.studies.matrix.runs import read_outcome
from tests.studies.matrix.table import problems_of

SCENARIOS = ROOT / "scenarios"
_FEW = ("--agents", "8", "--rate", "40", "--duration", "6")
_SOON = ("--set", "load.warmup_s=1", "--set", "load.drain_s=6")
_PATIENT = ("--set", 'objectives=["p90 < 2 s", "rejected < 30 %"]')


def _run(
    name: str,
    shows: str,
    *words: str,
    on_demand: bool = False,
    scenario: Path = SHORT,
    verb: str = "run",
) -> Entry:
    return Entry(
        name, shows, lambda place: harness(place, *words, scenario=scenario, verb=verb), on_demand
    )


def _set(**values: object) -> tuple[str, ...]:
    return tuple(word for key, value in values.items() for word in ("--set", f"{key}={value}"))


PASSED = (
    _run(
        "real-pass-lite",
        "a real run in lite mode, with its diagnosis",
        "--rate",
        "60",
        *_set(objectives='["p90 < 500 ms", "p50 < 100 ms", "rejected < 20 %"]'),
        on_demand=True,
    ),
    _run(
        "real-pass-full",
        "a third of the signals simulated in full on an Anvil node",
        *_FEW,
        *_SOON,
        *_set(objectives='["lite p90 < 500 ms", "full p50 < 1 s", "rejected < 20 %"]'),
        *("--set", "signals.full_share=0.3"),
        scenario=SCENARIOS / "full-mode.toml",
    ),
    _run(
        "real-decided-early",
        "the first analysis decides, and ends the load",
        *("--agents", "8", "--rate", "60", "--duration", "5", "--until-decided", "20"),
        *(*_SOON, "--set", 'objectives=["p90 < 500 ms"]'),
        scenario=SCENARIOS / "smoke.toml",
    ),
    _run(
        "real-group",
        "one question three times, judged together",
        "--repeat",
        "3",
        "--duration",
        "4",
    ),
    _run(
        "real-rounds",
        "two rounds of random faults",
        "--rounds",
        "2",
        "--set",
        "load.stages.0.duration_s=6",
        verb="chaos",
    ),
    _run(
        "real-isolation",
        "blocks with and without a paused service",
        *("--disturb", "pause:target=data-processor", "--pairs", "2", "--block", "6"),
        verb="isolate",
    ),
    _run(
        "real-gate",
        "rounds of a gate beside the load, on a node of its own",
        *_set(gate="{rounds = 12, at_s = 1, rate = 4.0, timeout_s = 8}"),
        "--duration",
        "10",
    ),
)


# Recorded without telemetry: with it, a latency missed beside a neighbour would be INVALID.
_UNWATCHED = frozenset({"slow_lock", "bimodal", "cold_cache"})


def _defect(row: Row) -> Entry:
    """A run with the defect of a row, which the row's check has found."""
    is_slow = any("p99" in setting for setting in row.settings)
    watched = is_slow and row.name not in _UNWATCHED
    smaller: tuple[str, ...] = () if is_slow else ("--set", "load.stages.0.rate_from=40")
    smaller += () if watched else ("--set", "telemetry.enabled=false")
    words = tuple(word for setting in row.settings for word in ("--set", setting))

    def record(place: Path) -> Path:
        folder = harness(place, "--defect", row.defect, *smaller, *words, scenario=MATRIX)
        if problems := problems_of(row, read_outcome(folder)):
            raise RuntimeError("; ".join(problems))
        return folder

    shows = f"the defect {row.defect}, found by '{row.found_by}'"
    return Entry(f"defect-{row.name.replace('_', '-')}", shows, record)


def _fault(
    name: str, shows: str, *faults: str, words: tuple[str, ...] = (), duration: int = 8
) -> Entry:
    """A run with faults, each as a table of TOML."""
    objectives = 'objectives=["recovery < 15 s", "rejected < 30 %", "p90 < 2 s outside faults"]'
    given = (
        "--set",
        f"fault=[{', '.join(faults)}]",
        "--set",
        objectives,
        "--set",
        "load.drain_s=15",
    )
    return _run(f"fault-{name}", shows, *given, *words, "--duration", str(duration))


FAULTS = (
    _fault("kill-engine", "SIGKILL of the engine", '{kind = "kill", target = "engine", at_s = 3}'),
    _fault(
        "kill-postgres",
        "SIGKILL of PostgreSQL: a gap of the observer",
        '{kind = "kill", target = "postgres", at_s = 3}',
        duration=10,
    ),
    _fault(
        "restart",
        "a graceful restart of the data processor, then of the engine",
        '{kind = "restart", target = "data-processor", at_s = 2}',
        '{kind = "restart", target = "engine", at_s = 5}',
    ),
    _fault(
        "pause", "Redis frozen for 2 s", '{kind = "pause", target = "redis", at_s = 3, for_s = 2}'
    ),
    _fault(
        "maintenance",
        "an AOF rewrite, a checkpoint and a snapshot",
        '{kind = "aof_rewrite", at_s = 2}',
        '{kind = "checkpoint", at_s = 3}',
        '{kind = "snapshot", at_s = 5}',
    ),
    _fault(
        "backup",
        "six daily backups of which three are kept and two restored",
        '{kind = "backup", at_s = 1, days = 6, keep = 3, day_s = 1.2}',
        words=("--set", 'objectives=["p90 < 2 s", "rejected < 30 %"]'),
        duration=11,
    ),
    _fault(
        "clock-step",
        "the data processor's clock steps 5 min ahead",
        '{kind = "clock_step", target = "data-processor", step_s = 300, at_s = 2, for_s = 3}',
    ),
    _fault(
        "rpc-stall",
        "the RPC node answers nothing for 3 s",
        '{kind = "rpc_stall", at_s = 2, for_s = 3}',
        words=(
            "--set",
            "signals.full_share=0.1",
            "--set",
            'objectives=["recovery < 15 s", "rejected < 30 %"]',
        ),
    ),
    _fault(
        "rpc-stale",
        "the primary RPC node lies behind, and is left",
        '{kind = "rpc_stale", at_s = 3, for_s = 7}',
        words=("--set", "chain={block_time_s = 1, nodes = 2}"),
        duration=13,
    ),
    _fault(
        "feed-stall",
        "agents behind the chain: their signals are refused as stale",
        '{kind = "feed_stall", at_s = 2, for_s = 8}',
        words=("--set", "chain={block_time_s = 1}"),
        duration=12,
    ),
)


def _killed(mark: str) -> Callable[[Path], Path]:
    """A run of which one process is killed while signals flow."""

    def record(place: Path) -> Path:
        run = start(place, 8, agents=8, rate=40)
        run.await_load()
        family = psutil.Process(run.process.pid).children(recursive=True)
        time.sleep(2)
        victim = run.find(mark)
        if victim is None:
            raise RuntimeError(f"no process {mark}")
        victim.kill()
        finish(run, family)
        return cleaned(run.folder())

    return record


def _interrupted(place: Path) -> Path:
    run = start(place, 8, agents=8, rate=40)
    run.await_load()
    family = psutil.Process(run.process.pid).children(recursive=True)
    time.sleep(3)
    run.process.send_signal(signal.SIGINT)
    finish(run, family)
    return cleaned(run.folder())


def _paused(place: Path) -> Path:
    return cleaned(spoiled_runs.end(*spoiled_runs.begin_pause(place)).folder)


def _starved(place: Path) -> Path:
    return cleaned(spoiled_runs.starve(place).folder)


def _stepped(place: Path) -> Path:
    return cleaned(spoiled_runs.end(*spoiled_runs.begin_step(place)).folder)


SPOILED = (
    Entry("spoiled-swarm-killed", "the swarm is killed", _killed("harness.load.worker")),
    Entry("spoiled-observer-killed", "the observer is killed", _killed("harness.observe.worker")),
    Entry(
        "spoiled-engine-killed",
        "the engine is killed, and nobody planned it",
        _killed("zone_b.engine"),
    ),
    Entry("spoiled-interrupted", "a person breaks the run off", _interrupted),
    Entry("spoiled-observer-paused", "the observer is stopped for 3 s", _paused),
    Entry("spoiled-starved", "another process takes the swarm's core", _starved),
    Entry("spoiled-clock-stepped", "PostgreSQL's clock is set forward by 2.5 s", _stepped),
)


def _attached(
    system: type[ExternalSystem], trade: Callable[[ExternalSystem, Path], Attached]
) -> Callable[[Path], Path]:
    """A run on servers of its own that were there before."""

    def record(place: Path) -> Path:
        with running_servers() as servers:
            made = system(start_postgres(servers), start_redis(servers), system.example.name)
            made.prepare()
            done = trade(made, place)
        if done.folder is None:
            raise RuntimeError(done.output)
        return cleaned(done.folder.path)

    return record


def _foreign(fault: str) -> Callable[[ExternalSystem, Path], Attached]:
    def trade(system: ExternalSystem, place: Path) -> Attached:
        with system.open(fault):
            return system.attach(
                place, *_PATIENT, "--set", "load.stages.0.duration_s=5.0", "--rate", "40"
            )

    return trade


def _broker(way: str, *defects: str) -> Callable[[ExternalSystem, Path], Attached]:
    def trade(system: ExternalSystem, place: Path) -> Attached:
        given = [f"{name}:{min(0.5, 2 * DEFECTS[name])}" for name in defects]
        short = ("--set", "load.stages.0.duration_s=5.0")
        if not isinstance(system, Broker):
            raise TypeError(system)
        return system.trade(way, place, *_PATIENT, *short, defects=given)[0]

    return trade


_HARMFUL = tuple(name for name in DEFECTS if name not in ("nonce_reuse", "slow"))
ATTACHED = (
    Entry(
        "attach-desk", "a foreign system, polled: right", _attached(ExternalSystem, _foreign(""))
    ),
    Entry(
        "attach-desk-faulty",
        "it forgets orders and repeats numbers",
        _attached(ExternalSystem, _foreign("lose:50,repeat:70")),
    ),
    *(
        Entry(
            f"attach-broker-{way}",
            f"another one, seen by {way}: right",
            _attached(Broker, _broker(way)),
        )
        for way in WAYS
        if way in ("logical", "stream")
    ),
    Entry(
        "attach-broker-harmful",
        "its defects all together, seen in the log",
        _attached(Broker, _broker("logical", *_HARMFUL)),
    ),
)

ENTRIES: tuple[Entry, ...] = (*PASSED, *map(_defect, ROWS), *FAULTS, *SPOILED, *ATTACHED)
