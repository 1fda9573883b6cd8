"""A recovery ends with the last window that breaks the limit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.sliding_windows import WindowGrid
from harness.analysis.stage_recovery import StageRecovery, stage_recovery
from tests.unit.analysis.test_sliding_windows import brute, series_of

MS = 1_000_000
S = 1_000 * MS
LIMIT_NS = 100 * MS
WINDOW_NS = S
# P50: a window needs two signals.
PERCENTILE = 50.0

LOADS = st.lists(st.tuples(st.integers(0, 7_999), st.integers(0, 300)), min_size=1, max_size=120)


def found(signals: list[tuple[int, int]], *spans_ns: tuple[int, int]) -> StageRecovery:
    """The recovery of signals (intended time, latency; both in ms)."""
    series = series_of(signals)
    return stage_recovery(
        series, series, spans_ns, WINDOW_NS, percentile=PERCENTILE, limit_ns=LIMIT_NS
    )


def test_the_time_until_the_last_slow_window() -> None:
    """Signals are slow until 1.5 s after the stage: from then on no window has more than half."""
    signals = [(at, 200 if at < 3_500 else 10) for at in range(2_000, 8_000, 10)]
    one = found(signals, (2 * S, 8 * S))
    # A window that begins 1 s after the stage is half slow, and its P50 is still within the limit.
    assert one.lower_ns == 980 * MS
    assert (one.upper_ns, one.step_ns) == (1_000 * MS, 20 * MS)
    assert (one.sparse, one.kept, one.watched_ns) == (0, one.windows - 50, 6 * S)


def test_a_system_that_is_fast_at_once() -> None:
    """No window breaks the limit: the recovery took no time, and that is known exactly."""
    one = found([(at, 10) for at in range(0, 8_000, 10)], (2 * S, 8 * S))
    assert (one.lower_ns, one.upper_ns, one.kept) == (None, 0, one.windows)


def test_slow_again_later_is_no_recovery() -> None:
    """For good: a later slow second counts, and what is slow to the end never recovers."""
    relapse = [(at, 200 if 6_000 <= at < 6_800 else 10) for at in range(0, 8_000, 10)]
    assert found(relapse, (2 * S, 8 * S)).at_least_ns > 4 * S
    slow_end = [(at, 200 if at >= 6_000 else 10) for at in range(0, 8_000, 10)]
    one = found(slow_end, (2 * S, 8 * S))
    assert (one.kept, one.lower_ns) == (0, 5 * S)


@settings(max_examples=60)
@given(signals=LOADS, gap=st.booleans())
def test_as_each_window_by_itself(signals: list[tuple[int, int]], gap: bool) -> None:
    """Both bounds, and the counts, from the sorted signals of every window."""
    spans = ((2 * S, 4 * S), (5 * S, 8 * S)) if gap else ((2 * S, 8 * S),)
    one = found(signals, *spans)
    windows = brute(signals, WindowGrid.of(spans, WINDOW_NS), PERCENTILE)
    slow = [start for start, _, value in windows if value is not None and value >= LIMIT_NS]
    assert one.lower_ns == ((slow[-1] - 2_000) * MS if slow else None)
    kept = [w for w in windows if w[2] is not None and (not slow or w[0] > slow[-1])]
    assert (one.windows, one.kept) == (len(windows), len(kept))
    assert one.sparse == sum(value is None for _, _, value in windows)
