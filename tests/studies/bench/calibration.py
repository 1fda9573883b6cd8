"""Calibration: what the harness reports against a system whose truth is known.

For each rate the swarm drives a system of known delay (log-normal, and a stall of 2 s every 30 s)
while the observer watches. The truth is that system's own log: each commit happened between the
stamp just before its COMMIT was sent and the one just after its answer was read. Held against it:
the bracket [committed, seen] that the harness makes of its evidence files alone. Then a stock
Locust `User` measures itself on the same system at the same rate.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.clock import NS_PER_MS
from tests.studies.bench.calibration_run import USERS, calibrate
from tests.studies.bench.calibration_truth import (
    NAMES,
    LocustSays,
    Matched,
    Quantiles,
    Reported,
    quantiles_ms,
    read_back,
    read_locust,
)
from tests.studies.bench.observing_servers import running_servers

RATES = (100, 500, 1000)
DURATION_S = 65.0
BRACKET_MS_MAX = 5.0
LOWER_OFF_MS_MAX = 1.0
LOWER_OFF_SHARE_MAX = 0.01


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was asked of the bracket, answered; by percentile.

    Attributes:
        holds: whether bracket and truth overlap. More cannot be shown where the truth itself is
            an interval, hence the next one.
        outside_ms: how far outside the bracket the truth could lie at most.
        lower_off_ms: least and greatest distance of the lower end from the truth, which is known
            as an interval only.
        lower_is_near: whether that is little enough; None where the interval is too wide to tell.
    """

    holds: tuple[bool, ...]
    outside_ms: tuple[float, ...]
    width_p99_ms: float
    lower_off_ms: tuple[tuple[float, float], ...]
    lower_is_near: tuple[bool | None, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing that was asked for has been shown not to be so."""
        near = all(answer is not False for answer in self.lower_is_near)
        return all(self.holds) and self.width_p99_ms <= BRACKET_MS_MAX and near


def judge(matched: Matched, reported: Reported) -> Verdicts:
    """Hold the bracket against the truth, which is itself known between two stamps only."""
    low, high = reported.committed_ms, reported.seen_ms
    before = quantiles_ms(matched.before_ns - matched.intended_ns)
    after = quantiles_ms(matched.after_ns - matched.intended_ns)
    error_ms = matched.clock_error_ns / NS_PER_MS
    off_max = np.maximum(np.abs(low - before), np.abs(low - after))
    off_min = np.maximum(np.maximum(low - after, before - low), 0)
    allowed = np.maximum(LOWER_OFF_MS_MAX, LOWER_OFF_SHARE_MAX * before)
    outside = np.maximum(np.maximum(low - before, after - high), 0)
    return Verdicts(
        holds=_bools((low - error_ms <= after) & (high >= before)),
        outside_ms=tuple(outside.tolist()),
        width_p99_ms=float(high[1] - low[1]),
        lower_off_ms=tuple(zip(off_min.tolist(), off_max.tolist(), strict=True)),
        lower_is_near=tuple(
            True if most <= limit else None if least <= limit else False
            for least, most, limit in zip(off_min, off_max, allowed, strict=True)
        ),
    )


def _bools(values: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[bool, ...]:
    return tuple(bool(value) for value in values)


def _print_harness(matched: Matched, reported: Reported, verdicts: Verdicts) -> None:
    intended_ns = matched.intended_ns
    _print_row("truth: COMMIT sent", quantiles_ms(matched.before_ns - intended_ns))
    _print_row("truth: COMMIT answered", quantiles_ms(matched.after_ns - intended_ns))
    _print_row("harness: committed", reported.committed_ms)
    _print_row("harness: seen", reported.seen_ms)
    _print_row("outside by at most", np.array(verdicts.outside_ms))
    _print_row("lower end off, least", np.array([least for least, _ in verdicts.lower_off_ms]))
    _print_row("lower end off, most", np.array([most for _, most in verdicts.lower_off_ms]))
    print(f"  bracket holds the truth: {_answers(verdicts.holds)}")
    print(f"  lower end within 1 % or 1 ms: {_answers(verdicts.lower_is_near)}")
    print(f"  width at P99: {verdicts.width_p99_ms:.2f} ms (at most {BRACKET_MS_MAX:.0f})")
    width = quantiles_ms(matched.after_ns - matched.before_ns)
    print(
        f"  of {len(matched.seen_ns)} signals, {matched.contradictions} whose own bracket cannot"
        f" hold their commit, {matched.unseen} not seen"
    )
    print(
        f"  one commit is known to {width[0]:.2f} ms (P50), {width[1]:.2f} ms (P99) from the log;"
        f" the server's clock to {matched.clock_error_ns / NS_PER_MS:.3f} ms"
    )


def _print_locust(says: LocustSays, matched: Matched) -> None:
    on_schedule = quantiles_ms(matched.after_ns - matched.intended_ns)
    print(f"  stock Locust, {USERS} users, constant_throughput: {says.requests} signals")
    _print_row("  Locust reports", says.reported_ms)
    _print_row("  log, of its signals", quantiles_ms(says.own_ns))
    _print_row("  truth, on schedule", on_schedule)
    print(
        f"  Locust's P99 is {says.reported_ms[1] / on_schedule[1]:.1%} of what signals on"
        " schedule met"
    )


def _print_row(name: str, values_ms: Quantiles) -> None:
    print(f"  {name:<24}" + "".join(f"{value:11.2f}" for value in values_ms))


def _answers(answers: Sequence[bool | None]) -> str:
    words = {True: "yes", False: "NO", None: "undecided"}
    return ", ".join(f"{name} {words[answer]}" for name, answer in zip(NAMES, answers, strict=True))


def run_rate(rate: float, duration_s: float = DURATION_S, *, locust: bool = True) -> bool:
    """Calibrate at one rate and print it; whether everything asked for is so."""
    with running_servers() as servers, tempfile.TemporaryDirectory(prefix="harness-cal-") as text:
        run = calibrate(servers, Path(text), rate, duration_s, locust=locust)
        matched, reported = read_back(run)
        verdicts = judge(matched, reported)
        print(f"{rate:.0f} signals/s for {duration_s:.0f} s, {servers.versions}; ms from intended")
        print(f"  {'':<24}" + "".join(f"{name:>11}" for name in NAMES))
        _print_harness(matched, reported, verdicts)
        if locust:
            _print_locust(read_locust(run), matched)
        print(flush=True)
        return verdicts.passed and matched.contradictions == 0 and matched.unseen == 0


def main(rates: Sequence[float] = RATES) -> int:
    """Every rate; 1 if the bracket fell short at one of them."""
    short = [rate for rate in rates if not run_rate(rate)]
    return min(len(short), 1)


if __name__ == "__main__":
    sys.exit(main([float(word) for word in sys.argv[1:]] or RATES))
