"""Signing addresses of a run: a pure function of its tag, so that no two runs share a nonce.

The contract of a system with a fixed set of addresses lists them.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.contract.trace_id import AGENT_MAX

# Agents own addresses 0..AGENT_MAX; signals from the hot address share the next one.
HOT_ADDRESS = AGENT_MAX + 1
_INDEX_DIGITS = 8


def address_text(run_tag: int, index: int) -> str:
    """`0x` and 40 hex digits: 12 of run tag, 20 of zero, 8 of index."""
    return f"0x{run_tag:012x}{index:028x}"


class AddressBook:
    """The signing addresses of one run, by index.

    Args:
        run_tag: addresses are derived from it if the system accepts any.
        listed: addresses of a system with a fixed set. Agent `a` signs with the one at `a`;
            signals from the hot address use the last one.
        hot: whether any signal of the run trades from the hot address.
    """

    def __init__(self, run_tag: int, listed: Sequence[str] = (), *, hot: bool = False) -> None:
        self._run_tag = run_tag
        self._listed = tuple(listed)
        self._indexes = {text.lower(): index for index, text in enumerate(listed)}
        if hot and listed:
            self._indexes[listed[-1].lower()] = HOT_ADDRESS

    def text(self, index: int) -> str:
        """The address at an index; a list is repeated, so that every index has one."""
        if not self._listed:
            return address_text(self._run_tag, index)
        if index == HOT_ADDRESS:
            return self._listed[-1]
        return self._listed[index % len(self._listed)]

    def index(self, text: str) -> int | None:
        """The index of an address, ignoring case; None if it is not this run's."""
        if self._listed:
            return self._indexes.get(text.lower())
        try:
            index = int(text[-_INDEX_DIGITS:], 16)
        except ValueError:
            return None
        return index if text.lower() == address_text(self._run_tag, index) else None
