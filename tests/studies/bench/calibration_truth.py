"""What is known of each signal from outside the harness, beside what the harness wrote of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import bucket_index, bucket_low_ns
from harness.analysis.run_analysis import analyze_run
from harness.analysis.summary import build_measurement
from harness.clock import NS_PER_MS
from harness.contract.names import State
from harness.evidence.records import ATTEMPT, SIGHTING, Records, iter_records, read_records
from tests.studies.bench.calibration_run import Calibrated
from tests.studies.bench.calibration_system import KNOWN

PERCENTILES = (50.0, 99.0, 99.9, 100.0)
NAMES = ("p50", "p99", "p99.9", "max")

_SENT = np.dtype([("trace_hi", "<u8"), ("trace_lo", "<u8"), ("sent_ns", "<i8")])
Ns = NDArray[np.int64]
Quantiles = NDArray[np.float64]
_Key = tuple[int, int]


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

    intended_ns: Ns
    before_ns: Ns
    after_ns: Ns
    committed_ns: Ns
    seen_ns: Ns
    clock_error_ns: int
    unseen: int

    @property
    def contradictions(self) -> int:
        """Signals whose bracket cannot hold the commit, wherever between its stamps that was."""
        too_late = self.committed_ns - self.clock_error_ns > self.after_ns
        too_early = self.seen_ns < self.before_ns
        return int(np.count_nonzero(too_late | too_early))


@dataclass(frozen=True, slots=True)
class Reported:
    """Percentiles as the harness reports them, in ms, in the order of NAMES."""

    committed_ms: Quantiles
    seen_ms: Quantiles


@dataclass(frozen=True, slots=True)
class LocustSays:
    """What a Locust user measured, and what the system's log has of the very same signals.

    Attributes:
        requests: signals that it finished.
        reported_ms: its own percentiles, in the order of NAMES.
        own_ns: from its XADD to the answer to COMMIT.
    """

    requests: int
    reported_ms: Quantiles
    own_ns: Ns


def quantiles_ms(values_ns: Ns) -> Quantiles:
    """Order statistics as they are: no interpolation, no buckets."""
    found: Quantiles = np.percentile(values_ns, PERCENTILES, method="inverted_cdf") / NS_PER_MS
    return found


def read_back(run: Calibrated) -> tuple[Matched, Reported]:
    """Put the system's log beside the harness' evidence and beside its own measurement of it."""
    folder = run.folder
    plan = folder.read_plan()
    gathered = analyze_run(folder, plan, folder.read_run())
    measurement = build_measurement(gathered, None, plan.load)
    resolution = {one.name: one for one in measurement.resolution}
    # A percentile names a bucket of its histogram: from below it is bounded by the bucket's low
    # end, from above by its high end. The maximum is exact.
    low_ns = [_bucket_low_ns(resolution[name].committed_ns) for name in NAMES[:-1]]
    reported = Reported(
        np.array([*low_ns, resolution[NAMES[-1]].committed_ns]) / NS_PER_MS,
        np.array([resolution[name].seen_ns for name in NAMES]) / NS_PER_MS,
    )
    known = _by_trace(_all(run, "known-*.bin", KNOWN))
    intended = _by_trace(np.concatenate(list(iter_records(folder.attempts()[0], ATTEMPT))))
    sightings, _ = read_records(folder.sightings, SIGHTING)
    seen = _by_trace(sightings[sightings["state"] == State.SIMULATED])
    keys = [key for key in known if key in intended]
    both = [key for key in keys if key in seen]
    clock = gathered.instruments.clocks["postgres"]
    matched = Matched(
        intended_ns=_column(both, intended, "intended_ns"),
        before_ns=_column(both, known, "before_ns"),
        after_ns=_column(both, known, "after_ns"),
        committed_ns=clock.mono_ns(_column(both, seen, "commit_us")),
        seen_ns=_column(both, seen, "seen_ns"),
        clock_error_ns=clock.error_ns,
        unseen=len(keys) - len(both),
    )
    return matched, reported


def read_locust(run: Calibrated) -> LocustSays:
    """What Locust's users left."""
    reported = json.loads((run.truth / "locust.json").read_text())
    sent = _by_trace(_all(run, "locust-*.bin", _SENT))
    known = _by_trace(_all(run, "known-*.bin", KNOWN))
    keys = [key for key in sent if key in known]
    own_ns = _column(keys, known, "after_ns") - _column(keys, sent, "sent_ns")
    return LocustSays(reported["requests"], np.array(reported["ms"], dtype=np.float64), own_ns)


def _bucket_low_ns(value_ns: int) -> int:
    return bucket_low_ns(int(bucket_index(np.array([value_ns], dtype=np.int64))[0]))


def _all(run: Calibrated, pattern: str, dtype: np.dtype[Any]) -> Records:
    paths = sorted(run.truth.glob(pattern))
    return np.concatenate([read_records(path, dtype)[0] for path in paths])


def _by_trace(records: Records) -> dict[_Key, np.void]:
    keys = zip(records["trace_hi"].tolist(), records["trace_lo"].tolist(), strict=True)
    return dict(zip(keys, records, strict=True))


def _column(keys: list[_Key], records: Mapping[_Key, np.void], name: str) -> Ns:
    return np.array([records[key][name] for key in keys], dtype=np.int64)
