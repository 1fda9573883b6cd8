"""Calibration: what the harness reports against a system whose truth is known.

For each rate the swarm drives a system of known delay (log-normal, and a stall of 2 s every 30 s)
while the observer watches. The truth is that system's own log: each commit happened between the
stamp just before its COMMIT was sent and the one just after its answer was read. Held against it:
the harness' bracket [committed, seen], made from its evidence files alone. Then a stock Locust
`User` measures itself on the same system at the same rate.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.clock import NS_PER_MS
from harness.contract.names import State
from harness.evidence.records import ATTEMPT, SIGHTING, Records, read_records
from harness.measure.clockmap import clock_maps, read_probes
from tests.bench.calibration_run import USERS, Calibrated, calibrate
from tests.bench.calibration_system import KNOWN
from tests.bench.observing_servers import running_servers

RATES = (100, 500, 1000)
DURATION_S = 65.0
PERCENTILES = (50.0, 99.0, 99.9, 100.0)
NAMES = ("P50", "P99", "P99.9", "max")
BRACKET_MS_MAX = 5.0
LOWER_OFF_MS_MAX = 1.0
LOWER_OFF_SHARE_MAX = 0.01

_SENT = np.dtype([("trace_hi", "<u8"), ("trace_lo", "<u8"), ("sent_ns", "<i8")])
_Ns = NDArray[np.int64]
_Quantiles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matched:
    """One value a signal, in one order.

    Attributes:
        intended_ns: when the signal was due.
        before_ns: truth's lower end: just before COMMIT was sent.
        after_ns: truth's upper end: just after COMMIT was answered.
        committed_ns: the harness' lower end.
        seen_ns: the harness' upper end.
        clock_error_ns: largest error of the server's clock on the host's.
        unseen: signals that the system's log has and the sightings have not.
    """

    intended_ns: _Ns
    before_ns: _Ns
    after_ns: _Ns
    committed_ns: _Ns
    seen_ns: _Ns
    clock_error_ns: int
    unseen: int

    @property
    def contradictions(self) -> int:
        """Signals whose bracket cannot hold the commit, wherever between its stamps that was."""
        too_late = self.committed_ns - self.clock_error_ns > self.after_ns
        too_early = self.seen_ns < self.before_ns
        return int(np.count_nonzero(too_late | too_early))


def match(run: Calibrated) -> Matched:
    """Put the system's log beside the harness' evidence."""
    known = _by_trace(_all(run.folder, "known-*.bin", KNOWN))
    intended = _by_trace(_all(run.folder, "journal/attempts-*.bin", ATTEMPT))
    sightings, _ = read_records(run.folder / "sightings.bin", SIGHTING)
    seen = _by_trace(sightings[sightings["state"] == State.SIMULATED])
    keys = [key for key in known if key in intended]
    both = [key for key in keys if key in seen]
    probes, _ = read_probes((run.folder / "clock.jsonl").read_text().splitlines())
    clock = clock_maps(probes)["postgres"]
    return Matched(
        intended_ns=_column(both, intended, "intended_ns"),
        before_ns=_column(both, known, "before_ns"),
        after_ns=_column(both, known, "after_ns"),
        committed_ns=clock.mono_ns(_column(both, seen, "commit_us")),
        seen_ns=_column(both, seen, "seen_ns"),
        clock_error_ns=clock.error_ns,
        unseen=len(keys) - len(both),
    )


def quantiles_ms(values_ns: _Ns) -> _Quantiles:
    """Order statistics, as they are: no interpolation, no buckets."""
    found: _Quantiles = np.percentile(values_ns, PERCENTILES, method="inverted_cdf") / NS_PER_MS
    return found


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was asked of the bracket, answered; by percentile.

    Attributes:
        holds: whether bracket and truth overlap. More cannot be shown where the truth itself is
            an interval, hence the next one.
        outside_ms: how far outside the bracket the commit could have been at most.
        lower_off_ms: the distance of the lower end from the farther end of the truth.
    """

    holds: tuple[bool, ...]
    outside_ms: tuple[float, ...]
    width_p99_ms: float
    lower_off_ms: tuple[float, ...]
    lower_is_near: tuple[bool, ...]

    @property
    def passed(self) -> bool:
        """Whether everything asked for is so."""
        return all(self.holds) and self.width_p99_ms <= BRACKET_MS_MAX and all(self.lower_is_near)


def judge(matched: Matched) -> Verdicts:
    """Hold the bracket against the truth, which is itself known between two stamps only."""
    before, after, low, high = (
        quantiles_ms(end - matched.intended_ns)
        for end in (matched.before_ns, matched.after_ns, matched.committed_ns, matched.seen_ns)
    )
    error_ms = matched.clock_error_ns / NS_PER_MS
    # The worst that can be said of the lower end, wherever between its stamps the commit was.
    off = np.maximum(np.abs(low - before), np.abs(low - after))
    near = (off <= LOWER_OFF_MS_MAX) | (off <= LOWER_OFF_SHARE_MAX * before)
    return Verdicts(
        holds=tuple(bool(x) for x in (low - error_ms <= after) & (high >= before)),
        outside_ms=tuple(float(x) for x in np.maximum(np.maximum(low - before, after - high), 0)),
        width_p99_ms=float(high[1] - low[1]),
        lower_off_ms=tuple(float(x) for x in off),
        lower_is_near=tuple(bool(x) for x in near),
    )


def _print_harness(matched: Matched, verdicts: Verdicts) -> None:
    rows = {
        "truth: COMMIT sent": matched.before_ns,
        "truth: COMMIT answered": matched.after_ns,
        "harness: committed": matched.committed_ns,
        "harness: seen": matched.seen_ns,
    }
    for name, end_ns in rows.items():
        _print_row(name, quantiles_ms(end_ns - matched.intended_ns))
    width = quantiles_ms(matched.after_ns - matched.before_ns)
    print(f"  the truth itself is known to P50 {width[0]:.2f} ms, P99 {width[1]:.2f} ms a signal;")
    print(f"  the clocks to {matched.clock_error_ns / NS_PER_MS:.3f} ms")
    print(f"  holds the truth: {_yes(verdicts.holds)};", end=" ")
    print(f"signals it cannot hold: {matched.contradictions} of {len(matched.seen_ns)},", end=" ")
    print(f"not seen: {matched.unseen}")
    print(f"  width at P99: {verdicts.width_p99_ms:.2f} ms (at most {BRACKET_MS_MAX:.0f})")
    _print_row("outside by at most", np.array(verdicts.outside_ms))
    _print_row("lower end off by <=", np.array(verdicts.lower_off_ms))
    print(f"  lower end within 1 % or 1 ms: {_yes(verdicts.lower_is_near)}")


def _print_locust(run: Calibrated, matched: Matched) -> None:
    told = json.loads((run.folder / "locust.json").read_text())
    sent = _by_trace(_all(run.folder, "locust-*.bin", _SENT))
    known = _by_trace(_all(run.folder, "known-*.bin", KNOWN))
    keys = [key for key in sent if key in known]
    own = _column(keys, known, "after_ns") - _column(keys, sent, "sent_ns")
    print(f"  stock Locust, {USERS} users, constant_throughput: {told['requests']} signals")
    _print_row("  Locust reports", np.array(told["ms"], dtype=np.float64))
    _print_row("  log, of its signals", quantiles_ms(own))
    on_schedule = quantiles_ms(matched.after_ns - matched.intended_ns)
    _print_row("  truth on schedule", on_schedule)
    share = told["ms"][1] / on_schedule[1]
    print(f"  Locust's P99 is {share:.1%} of what a signal on schedule met")


def _print_row(name: str, values_ms: _Quantiles) -> None:
    print(f"  {name:<24}" + "".join(f"{value:11.2f}" for value in values_ms))


def _yes(answers: tuple[bool, ...]) -> str:
    return ", ".join(
        f"{name} {'yes' if answer else 'NO'}" for name, answer in zip(NAMES, answers, strict=True)
    )


def _all(folder: Path, pattern: str, dtype: np.dtype[np.void]) -> Records:
    return np.concatenate([read_records(path, dtype)[0] for path in sorted(folder.glob(pattern))])


def _by_trace(records: Records) -> dict[tuple[int, int], np.void]:
    keys = zip(records["trace_hi"].tolist(), records["trace_lo"].tolist(), strict=True)
    return dict(zip(keys, records, strict=True))


def _column(
    keys: list[tuple[int, int]], records: Mapping[tuple[int, int], np.void], name: str
) -> _Ns:
    return np.array([records[key][name] for key in keys], dtype=np.int64)


def run_rate(rate: float, duration_s: float = DURATION_S, *, locust: bool = True) -> bool:
    """Calibrate at one rate and print it; whether everything asked for is so."""
    with running_servers() as servers, tempfile.TemporaryDirectory(prefix="harness-cal-") as text:
        run = calibrate(servers, Path(text), rate, duration_s, locust=locust)
        matched = match(run)
        verdicts = judge(matched)
        print(f"{rate:.0f} signals/s for {duration_s:.0f} s, {servers.versions}; ms from intended")
        print(f"  {'':<24}" + "".join(f"{name:>11}" for name in NAMES))
        _print_harness(matched, verdicts)
        if locust:
            _print_locust(run, matched)
        print(flush=True)
        return verdicts.passed and matched.contradictions == 0 and matched.unseen == 0


def main(rates: Sequence[float] = RATES) -> int:
    """Every rate; 1 if the bracket fell short at one of them."""
    short = [rate for rate in rates if not run_rate(rate)]
    return min(len(short), 1)


if __name__ == "__main__":
    sys.exit(main([float(word) for word in sys.argv[1:]] or RATES))
