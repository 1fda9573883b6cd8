"""Signing addresses of a run: a pure function of its tag, so that no two runs share a nonce."""

from __future__ import annotations

from harness.contract.trace_id import AGENT_MAX

# Agents own addresses 0..AGENT_MAX; the next one is shared by all who trade from a hot address.
HOT_ADDRESS = AGENT_MAX + 1


def address_text(run_tag: int, index: int) -> str:
    """`0x` and 40 hex digits: 12 of run tag, 20 of zero, 8 of index."""
    return f"0x{run_tag:012x}{index:028x}"
