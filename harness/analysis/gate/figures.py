"""Figures of a gate: rounds by kind, and latencies while it was on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from harness.analysis.faults.fault_windows import BaselineDurations, FaultWindow, baseline_durations
from harness.analysis.gate.invariants import SIMULATED, broken_invariants, is_slow
from harness.analysis.recorder import Cell, CellKey, Metric
from harness.clock import NS_PER_S
from harness.evidence.gate_log import GateLog, GateRound
from harness.scenario.gate import KINDS
from harness.scenario.models import Phase

_PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GateKindFigures(_Value):
    """Rounds with one kind of fuzzed condition; a round with several kinds counts in each."""

    kind: str
    rounds: int
    held: int
    broken: int


class GateLatency(_Value):
    """Latency of the measured signals that were intended while the node was up, or not.

    Percentiles and maximum are upper ends of buckets.
    """

    mode: str
    during: bool
    count: int
    percentiles_ns: dict[str, int]
    max_ns: int


class GateFigures(_Value):
    """Figures of a whole gate; times are seconds after t0, None for events that never happened.

    Attributes:
        rounds: completed rounds; `broken` broke an invariant, `held` did not.
        unplayed: rounds that were not completed.
        invariants: how often each was broken.
        simulated, refused: decisions of the decision service. It refused `slow` of them because
            the node was slow without a planned stall.
        opened_s, released_s: first answer of the node, and first time it was observed gone.
        begun_s, ended_s: of the first round, and of the last one.
    """

    rounds: int
    held: int
    broken: int
    unplayed: int
    kinds: tuple[GateKindFigures, ...]
    invariants: dict[str, int]
    simulated: int
    refused: int
    slow: int
    opened_s: float | None
    released_s: float | None
    begun_s: float | None
    ended_s: float | None
    latency: tuple[GateLatency, ...]


def broken_rounds(record: GateLog) -> dict[int, tuple[str, ...]]:
    """Names of the broken invariants by round, evaluated again from the observations."""
    begun = record.begun
    durations = {
        one.number: broken_invariants(one.draw, one.seen, begun.gas_estimate, begun.limit_ns)
        for one in record.rounds
        if begun is not None and one.seen is not None
    }
    return {
        number: tuple(dict.fromkeys(name for name, _ in broken))
        for number, broken in durations.items()
        if broken
    }


def gate_figures(
    record: GateLog, cells: Sequence[tuple[CellKey, Cell]], t0_ns: int, until_ns: int
) -> GateFigures:
    """The figures of a gate.

    Args:
        record: the gate's log.
        cells: of the signals.
        t0_ns: start of the load.
        until_ns: end of the observation, for a node that was never observed gone.
    """
    broken = broken_rounds(record)
    played = [one for one in record.rounds if one.seen is not None]
    asked = [decision for one in played if one.seen for decision in one.seen.asked]
    limit_ns = record.begun.limit_ns if record.begun else 0
    invariants = [name for names in broken.values() for name in names]
    opened = record.opened.mono_ns if record.opened else None
    released = record.released.mono_ns if record.released else None

    def since(when_ns: int | None) -> float | None:
        return None if when_ns is None else (when_ns - t0_ns) / NS_PER_S

    return GateFigures(
        rounds=len(played),
        held=len(played) - len(broken),
        broken=len(broken),
        unplayed=len(record.rounds) - len(played),
        kinds=tuple(_kinds(played, broken)),
        invariants={name: invariants.count(name) for name in sorted(set(invariants))},
        simulated=sum(one.status == SIMULATED for one in asked),
        refused=sum(one.status != SIMULATED for one in asked),
        slow=sum(is_slow(one, limit_ns) for one in asked),
        opened_s=since(opened),
        released_s=since(released),
        begun_s=since(min((one.began_ns for one in played), default=None)),
        ended_s=since(max((one.ended_ns for one in played), default=None)),
        latency=()
        if opened is None
        else tuple(_latency(cells, FaultWindow(opened, released or until_ns), t0_ns)),
    )


def _kinds(
    played: Sequence[GateRound], broken: dict[int, tuple[str, ...]]
) -> Iterator[GateKindFigures]:
    for kind in KINDS:
        rounds = [one for one in played if kind in one.draw.kinds]
        bad = sum(one.number in broken for one in rounds)
        yield GateKindFigures(kind=kind, rounds=len(rounds), held=len(rounds) - bad, broken=bad)


def _latency(
    cells: Sequence[tuple[CellKey, Cell]], window: FaultWindow, t0_ns: int
) -> Iterator[GateLatency]:
    for key, cell in cells:
        series = cell.series.get(Metric.LATENCY)
        if key.phase is not Phase.MEASURE or series is None:
            continue
        outside = baseline_durations(series, (window,), t0_ns)
        within = BaselineDurations(series.counts_by_bin() - outside.counts)
        for during, durations in ((True, within), (False, outside)):
            percentiles = {f"p{rank:g}": durations.percentile_ns(rank) for rank in _PERCENTILES}
            yield GateLatency(
                mode=key.mode.name.lower(),
                during=during,
                count=durations.count,
                percentiles_ns={
                    name: value for name, value in percentiles.items() if value is not None
                },
                max_ns=durations.max_ns,
            )
