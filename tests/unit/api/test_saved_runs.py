"""Saved runs: what a new run shows against them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness import EvidenceError, Result, UsageError
from harness.api.saved_runs import Change, SavedRun, compare, read_saved, save, saved_path


def a_run(p99_ms: float | None, *, question: str = "a", number: int = 1) -> SavedRun:
    """A run of one test."""
    p99_ns = None if p99_ms is None else round(p99_ms * 1e6)
    return SavedRun(test="t", number=number, question=question, run_id="r", p99_ns=p99_ns)


SAVED = [a_run(p99_ms) for p99_ms in (50, 55, 45, 52, 48)]


@pytest.mark.parametrize(
    ("new", "change"),
    [
        (a_run(51), Change.NONE_SHOWN),
        (a_run(100), Change.SLOWER),
        (a_run(20), Change.FASTER),
        (a_run(None), Change.CANNOT_TELL),
        (a_run(100, question="b"), Change.CANNOT_TELL),
        (a_run(100, number=2), Change.CANNOT_TELL),
    ],
)
def test_only_comparable_runs_decide(new: SavedRun, change: Change) -> None:
    """Of the same test, scenario and stack."""
    found = compare(new, SAVED)
    assert found.change is change
    assert change.value in str(found)


def test_two_runs_tell_nothing() -> None:
    """They have no interval."""
    found = compare(a_run(500), SAVED[:2])
    assert (found.change, found.runs) == (Change.CANNOT_TELL, 2)


def test_saving_adds(tmp_path: Path) -> None:
    """In a folder that is made; what was saved stays."""
    path = saved_path(tmp_path / ".signal", "main")
    save(path, SAVED[:2])
    save(path, SAVED[2:])
    assert read_saved(path) == SAVED
    path.write_text('{"test": 1}\n', encoding="utf-8")
    with pytest.raises(EvidenceError, match="line 1"):
        read_saved(path)


@pytest.mark.parametrize("name", ["../main", "", ".main", "a b", "x" * 65])
def test_name_is_no_path(tmp_path: Path, name: str) -> None:
    """Nothing is written elsewhere."""
    with pytest.raises(UsageError):
        saved_path(tmp_path, name)


def test_record_of_a_run(from_corpus: Callable[[str], Result]) -> None:
    """An INVALID run measures nothing; the seed is no part of the question."""
    found = SavedRun.of("t", 1, from_corpus("pass-plain"))
    assert found is not None
    assert found.p99_ns == 19_021_823  # as tests/corpus/expected/pass-plain.json has it
    assert SavedRun.of("t", 1, from_corpus("invalid-no-stack")) is None
