"""An objective for signals outside of the windows of faults only."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge.verdict import Verdict
from harness.scenario import parse_objective
from tests.unit.analysis.evidence import MS, S, healthy
from tests.unit.judge.assessing import assessed, id_of, unclean
from tests.unit.judge.test_faults import AT_NS, KILL, check_of, faulty, killed

WHOLE = "p99 < 100 ms"
APART = "p99 < 100 ms outside faults"


def test_it_is_kept_where_only_the_fault_was_slow(tmp_path: Path) -> None:
    """An outage of 0.6 s in 20 s misses the ordinary objective, not this one; each says which."""
    found = assessed(faulty(KILL, killed(), WHOLE, APART), tmp_path)
    # Slow ones in one bunch have a small effective size: it is not sure that they miss it.
    assert unclean(found) == {id_of(WHOLE): Verdict.INCONCLUSIVE}
    apart = check_of(found, id_of(APART))
    assert "P99 of latency outside of the windows of faults is" in apart.message
    whole = check_of(found, id_of(WHOLE))
    assert isinstance(apart.figures["signals"], int)
    assert isinstance(whole.figures["signals"], int)
    assert 0 < whole.figures["signals"] - apart.figures["signals"] < 200
    reported = next(one for one in found.measurement.outside_faults if one.metric == "latency")
    assert apart.figures["signals"] == reported.count


def test_it_fails_where_the_rest_is_slow_too(tmp_path: Path) -> None:
    """It excuses nothing but the windows."""
    found = assessed(faulty(KILL, killed(), "p50 < 5 ms outside faults"), tmp_path)
    assert unclean(found)["latency_p50_outside_faults"] is Verdict.FAIL


def test_a_maximum_and_a_mode(tmp_path: Path) -> None:
    """All forms of the whole load."""
    kept, broken = "max < 100 ms outside faults", "max < 100 ms"
    lite = "lite p90 of service < 100 ms outside faults"
    found = assessed(faulty(KILL, killed(), kept, broken, lite), tmp_path)
    assert unclean(found) == {id_of(broken): Verdict.FAIL}
    assert (
        "the longest latency outside of the windows of faults"
        in check_of(found, id_of(kept)).message
    )


def test_nothing_is_said_of_no_signals(tmp_path: Path) -> None:
    """A fault that was never seen healed: its window reaches to the end, and from before it."""
    record = killed(injected_ns=AT_NS - 8 * S, planned_ns=AT_NS - 8 * S, heal_proven_ns=None)
    fault = {**KILL, "at_s": 0}
    found = assessed(faulty(fault, record, APART), tmp_path)
    assert unclean(found)[id_of(APART)] is Verdict.INVALID
    assert "no signal outside of the windows of faults" in check_of(found, id_of(APART)).message


def test_few_signals_outside_leave_it_open(tmp_path: Path) -> None:
    """The bound rests on those outside alone."""
    text = "p99.9 < 100 ms outside faults"
    found = assessed(faulty(KILL, killed(), text), tmp_path)
    assert unclean(found)[id_of(text)] is Verdict.INCONCLUSIVE


def test_without_a_fault_it_is_the_ordinary_form(tmp_path: Path) -> None:
    """The same verdict, size and bounds."""
    found = assessed(healthy(None, WHOLE, APART), tmp_path)
    assert unclean(found) == {}
    assert check_of(found, id_of(WHOLE)).figures == check_of(found, id_of(APART)).figures
    assert found.measurement.outside_faults == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p99 over any 10 s < 1 s outside faults", "covers the whole load"),
        ("stage 1 p99 < 1 s outside faults", "covers the whole load"),
        ("recovery < 15 s outside faults", "is not an objective"),
        ("rejected < 1 % outside faults", "is not an objective"),
        ("p99 outside faults < 1 s", "is not an objective"),
    ],
)
def test_what_cannot_be_asked(text: str, words: str) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match=words):
        parse_objective(text)


def test_it_is_distinguished_when_it_is_read() -> None:
    """With everything else as in the ordinary form."""
    one = parse_objective("full p99.9 of service < 80 ms  outside   faults")
    assert (one.outside_faults, one.mode, one.limit_ns) == (True, "full", 80 * MS)
    assert one.text == "full p99.9 of service < 80 ms outside faults"
    assert not parse_objective("p99 < 500 ms").outside_faults
