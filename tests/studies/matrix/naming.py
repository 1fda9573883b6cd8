"""Whether a check named what the defects really did."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.analysis.anomalies import EXAMPLES_MAX
from harness.contract import trace_id
from tests.studies.matrix.rows import Row
from tests.studies.matrix.runs import Outcome

_TRACE_CHARS = 36
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Naming:
    """How well the named ones are those of the ground truth.

    Attributes:
        right: whether they are.
        said: `7 of 7 signals`, or what is wrong.
    """

    right: bool
    said: str


def naming_of(row: Row, outcome: Outcome) -> Naming:
    """Hold what the row's check names against the ground truth."""
    if not outcome.acts:
        return Naming(False, "the defect never struck")
    check = outcome.named(row.found_by)
    if check is None:
        return Naming(False, "there is no such check")
    if row.named == "nothing":
        return Naming(True, "-")
    reported = _number(check["figures"])
    # A signal that is delivered again is acted on again, and is still one signal.
    signals = {act for act in outcome.acts if act is not None}
    if row.named == "number":
        return Naming(reported == len(signals), f"{reported} of {len(signals)} counted")
    examples: set[str] = set(check["examples"])
    if row.named == "addresses":
        addresses = _ADDRESS.findall(" ".join(examples))
        found = {str(int(address[-8:], 16)) for address in addresses}
        return _compared(found, {_agent(act) for act in signals}, "addresses")
    # A check may name more than signals, the address of a gap for one.
    return _compared({one for one in examples if len(one) == _TRACE_CHARS}, signals, "signals")


def _compared(found: set[str], true: set[str], noun: str) -> Naming:
    wrong = len(found - true)
    whole = len(found) == min(len(true), EXAMPLES_MAX)
    words = f"{len(found & true)} of {min(len(true), EXAMPLES_MAX)} {noun}"
    if len(true) > EXAMPLES_MAX:
        words += f" named, of {len(true)}"
    return Naming(whole and not wrong, f"{words}, {wrong} others" if wrong else words)


def _number(figures: dict[str, object]) -> int:
    return sum(value for value in figures.values() if isinstance(value, int))


def _agent(trace: str) -> str:
    """Who sent it; each agent has the address of its own number."""
    return str(trace_id.unpack(*trace_id.parse(trace))[1])
