"""Trace id of a signal: a UUID (version 8, RFC 9562 section 5.8) with run, agent and index.

Layout, from the most significant bit: 48 bits run tag | 4 bits version | 12 bits agent |
2 bits variant | 30 bits zero | 32 bits index. One run therefore owns one range of UUIDs, which
an index on the column finds without reading the rows of other runs.
"""

from __future__ import annotations

import secrets

AGENT_MAX = (1 << 12) - 1
INDEX_MAX = (1 << 32) - 1
RUN_TAG_BITS = 48
_VERSION = 0x8 << 12
_VARIANT = 0b10 << 62


def new_run_tag() -> int:
    """A random run tag of 48 bits."""
    return secrets.randbits(RUN_TAG_BITS)


def pack(run_tag: int, agent: int, index: int) -> tuple[int, int]:
    """High and low 64 bits of the trace id of an agent's `index`-th signal.

    Raises:
        ValueError: a part does not fit its field.
    """
    if not (0 <= run_tag < 1 << RUN_TAG_BITS and 0 <= agent <= AGENT_MAX):
        raise ValueError(f"run tag {run_tag:#x} or agent {agent} out of range")
    if not 0 <= index <= INDEX_MAX:
        raise ValueError(f"index {index} out of range 0..{INDEX_MAX}")
    return (run_tag << 16) | _VERSION | agent, _VARIANT | index


def text(high: int, low: int) -> str:
    """Canonical text form of a trace id."""
    digits = f"{high:016x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse(value: str) -> tuple[int, int]:
    """High and low 64 bits of a trace id's text form.

    Raises:
        ValueError: not a UUID.
    """
    digits = value.replace("-", "")
    if len(digits) != 32:
        raise ValueError(f"not a UUID: {value!r}")
    number = int(digits, 16)
    return number >> 64, number & ((1 << 64) - 1)


def unpack(high: int, low: int) -> tuple[int, int, int]:
    """Run tag, agent and index of a trace id that `pack` made."""
    return high >> 16, high & AGENT_MAX, low & INDEX_MAX


def run_range(run_tag: int) -> tuple[str, str]:
    """The lowest and the highest UUID of a run, both inclusive, in text form."""
    low = run_tag << 80
    high = low | ((1 << 80) - 1)
    mask = (1 << 64) - 1
    return text(low >> 64, low & mask), text(high >> 64, high & mask)
