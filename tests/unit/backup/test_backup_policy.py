"""Laws of the policy: the newest so many stay, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.faults.backup.injector import prune
from harness.faults.backup.retention import day_of, name_of, retained

DAYS = st.sets(st.integers(1, 30_000), max_size=60)
OTHERS = st.sets(
    st.sampled_from(
        ["", "day-1.dump", "day-00001.dump", "day-0001.dump.part", "notes", "lost+found"]
    )
)
COUNTS = st.integers(1, 40)


@given(st.integers(1, 10**8))
def test_a_name_tells_its_day(day: int) -> None:
    """There and back."""
    assert day_of(name_of(day)) == day


@given(DAYS, OTHERS, COUNTS)
def test_the_newest_stay(days: set[int], others: set[str], count: int) -> None:
    """As many as asked for, none older than one that goes; what is no backup is left alone."""
    names = {name_of(day) for day in days} | others
    kept = retained(names, count)
    assert kept <= names
    assert others <= kept
    stay = {day_of(name) or 0 for name in kept - others}
    assert len(stay) == min(count, len(days))
    assert all(one > gone for one in stay for gone in days - stay)
    assert retained(kept, count) == kept


@given(COUNTS, st.integers(1, 80), st.integers(1, 10_050))
def test_day_after_day(count: int, days: int, first: int) -> None:
    """Pruning each day keeps the same as pruning once, past day 9999 too."""
    folder: frozenset[str] = frozenset()
    for day in range(first, first + days):
        folder = retained(folder | {name_of(day)}, count)
        assert name_of(day) in folder
    assert folder == {name_of(d) for d in range(max(first, first + days - count), first + days)}


@pytest.mark.parametrize("name", ["day-1.dump", "day-00001.dump", "day-0001.dump.part", "0001"])
def test_what_is_no_backup(name: str) -> None:
    """Has no day, so that it is never removed."""
    assert day_of(name) is None


def test_files_are_pruned(tmp_path: Path) -> None:
    """In a folder."""
    for day in range(1, 6):
        (tmp_path / name_of(day)).touch()
    (tmp_path / "notes").touch()
    assert prune(tmp_path, 3) == (name_of(1), name_of(2))
    assert {path.name for path in tmp_path.iterdir()} == {*map(name_of, (3, 4, 5)), "notes"}
