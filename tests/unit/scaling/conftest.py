"""Fewer random draws than a result has: each is tested, and not their number."""

from __future__ import annotations

import pytest

from harness.analysis.scaling import figures, trend


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for a p-value below 1 %."""
    monkeypatch.setattr(trend, "PERMUTATIONS", 499)
    monkeypatch.setattr(figures, "RESAMPLES", 5)
