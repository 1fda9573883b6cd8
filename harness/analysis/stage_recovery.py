"""How soon a percentile of latency keeps its limit again after a stage, by sliding windows.

The windows are those of `sliding_windows`: one begins at the end of the stage and after every step,
and each has the signals intended in it. The recovery is complete at the start of the first window
from which on no window breaks the limit. It is known to one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.series import Series
from harness.analysis.sliding_windows import WindowGrid, window_masks
from harness.clock import NS_PER_MS


@dataclass(frozen=True, slots=True)
class StageRecovery:
    """The recovery after one repetition of a stage; times are counted from its end.

    Attributes:
        lower_ns: start of the last window that breaks the limit; None where none does.
        upper_ns: start of the next window; 0 where none breaks it.
        step_ns: from one window to the next: the resolution.
        windows: number of windows.
        sparse: of them, those with too few signals for the percentile.
        kept: windows from `upper_ns` on that have the percentile and keep the limit.
        watched_ns: until the last window ends.
    """

    lower_ns: int | None
    upper_ns: int
    step_ns: int
    windows: int
    sparse: int
    kept: int
    watched_ns: int

    @property
    def at_least_ns(self) -> int:
        """The least that the recovery took."""
        return self.lower_ns or 0


def stage_recovery(
    signals: Series,
    slow: Series,
    spans_ns: Sequence[tuple[int, int]],
    window_ns: int,
    *,
    percentile: float,
    limit_ns: int,
) -> StageRecovery:
    """The recovery after a stage.

    Args:
        signals: durations by intended time; gives the number of signals of each window.
        slow: the durations that are compared with the limit; signals not in it count as fast.
        spans_ns: measured load after the stage, after t0, in order; the first begins at its end.
        window_ns: length of a window.
        percentile: 0 < percentile < 100.
        limit_ns: of the percentile, exclusive.
    """
    grid = WindowGrid.of(spans_ns, window_ns)
    has_percentile, over = window_masks(signals, slow, grid, percentile, limit_ns)
    end_ms = spans_ns[0][0] // NS_PER_MS
    broken = np.flatnonzero(over)
    first_kept = int(broken[-1]) + 1 if len(broken) else 0
    lower_ns = None
    if len(broken):
        last = grid.first[broken[-1] : broken[-1] + 1]
        lower_ns = (int(grid.begin_ms(last)[0]) - end_ms) * NS_PER_MS
    step_ns = grid.step_ms * NS_PER_MS
    return StageRecovery(
        lower_ns=lower_ns,
        upper_ns=0 if lower_ns is None else lower_ns + step_ns,
        step_ns=step_ns,
        windows=len(over),
        sparse=int((~has_percentile).sum()),
        kept=int(has_percentile[first_kept:].sum()),
        watched_ns=spans_ns[-1][1] - spans_ns[0][0],
    )
