"""How often a bound or a verdict may lie on the wrong side, by chance too."""

from __future__ import annotations

from harness.analysis.statistics import CONFIDENCE


def conclude(worst: float, rounds: int) -> int:
    """Print what is allowed; 1 where the worst share of wrong sides is above it.

    Args:
        worst: the largest share of any row.
        rounds: how many of each row.
    """
    allowed = 1 - CONFIDENCE
    # Three standard deviations of the share of errors above what is allowed.
    most = allowed + 3 * (CONFIDENCE * allowed / rounds) ** 0.5
    print(f"allowed on the wrong side: {allowed:.1%}, {most:.1%} with the noise of {rounds:,}")
    return 0 if worst <= most else 1
