"""Ways to spoil a file that know what it is made of; drawn by Hypothesis, so that they shrink."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from harness.evidence.records import (
    ACK,
    ATTEMPT,
    BOOKING,
    HEAD,
    LEDGER,
    READ,
    SIGHTING,
    STAMP,
    TASK,
)

LAYOUTS = {
    "attempts-0.bin": ATTEMPT,
    "acks-0.bin": ACK,
    "sightings.bin": SIGHTING,
    "reads.bin": READ,
    "final-tasks.bin": TASK,
    "final-ledger.bin": LEDGER,
    "final-bookings.bin": BOOKING,
    "final-stamps.bin": STAMP,
    "final-heads.bin": HEAD,
}
_BIG = (2**31, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 10**30)
_ODD_TEXTS = (
    "",
    "\x1b]52;c;AA\x07",
    "\u202e",
    "a" * 5_000,
    "../../etc/passwd",
    "NaN",
    "-1",
    "p99 < 5 ms",
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, [], {}, [[]], [1, "a"], {"a": 1}]
    ).map(copy.deepcopy),  # a value is changed afterwards, and is drawn again
    st.sampled_from([sign * number for number in _BIG for sign in (1, -1)]),
    st.sampled_from(_ODD_TEXTS),
    st.integers(-(2**40), 2**40),
    st.text(max_size=5),
)
_RAW = ("NaN", "Infinity", "1e999", "9" * 30, "9" * 5_000, "[" * 2_000, '"\\ud800"', "")
BYTES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"\0" * 9, b"\xff\xfe", b"\n", b"\r", b"{", b"[" * 3_000, b"\x80" * 40, b'"', b","]
    ),
)


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the values of a document stand."""
    found = [at]
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node if isinstance(node, list) else ())
    )
    for key, value in items:
        found += places(value, (*at, key))
    return found


@st.composite
def spoiled_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Cut, flipped, doubled, or with something put in."""
    at = draw(st.integers(0, max(0, len(data))))
    until = min(len(data), at + draw(st.sampled_from([0, 1, 3, 48, 1_000])))
    return (
        draw(
            st.sampled_from(
                [data[:at], data[:at] + data[until:], data[:until] + data[at:], b"", data[at:]]
            )
        )
        if draw(st.booleans())
        else data[:at] + draw(BYTES) + data[until:]
    )


@st.composite
def spoiled_document(draw: st.DrawFn, document: Any) -> str:
    """JSON in which one to three values are others, gone, or no JSON at all."""
    found = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(places(found)))
        if not at:
            found = draw(VALUES) if draw(st.integers(0, 9)) == 0 else found
            continue
        node = found
        for key in at[:-1]:
            node = node[key]
        if isinstance(node, dict) and draw(st.integers(0, 3)) == 0:
            del node[at[-1]]
        else:
            node[at[-1]] = draw(VALUES)
        if not isinstance(found, (dict, list)):
            break
    text = json.dumps(found)
    if draw(st.integers(0, 5)) == 0:
        digits = [number for number, sign in enumerate(text) if sign.isdigit()] or [0]
        cut = draw(st.sampled_from(digits))
        text = text[:cut] + draw(st.sampled_from(_RAW)) + text[cut + 1 :]
    return text


@st.composite
def spoiled_lines(draw: st.DrawFn, data: bytes) -> bytes:
    """JSON lines of which one is spoiled, gone, or there twice."""
    lines = data.decode().splitlines()
    if not lines:
        return draw(BYTES)
    at = draw(st.integers(0, len(lines) - 1))
    changed = [draw(spoiled_document(json.loads(lines[at])))] * draw(st.sampled_from([1, 1, 2, 0]))
    text = "\n".join([*lines[:at], *changed, *lines[at + 1 :]]) + "\n"
    return text.encode("utf-8", "surrogatepass")


@st.composite
def spoiled_records(draw: st.DrawFn, data: bytes, name: str) -> bytes:
    """Records of which some have the least, the largest or another value in one field."""
    layout = LAYOUTS[name]
    records = np.frombuffer(data[: len(data) // layout.itemsize * layout.itemsize], layout).copy()
    if not len(records):
        return draw(st.binary(max_size=100))
    field = draw(st.sampled_from([own for own in layout.names or () if own != "reserved"]))
    bounds = np.iinfo(layout[field])
    value = draw(st.sampled_from([bounds.min, bounds.max, 0, 1, bounds.max // 2, 255, 77]))
    at = draw(st.integers(0, len(records) - 1))
    records[field][at : at + draw(st.sampled_from([1, 1, 50, len(records)]))] = min(
        value, bounds.max
    )
    return records.tobytes()


@st.composite
def spoiled_text(draw: st.DrawFn, data: bytes) -> bytes:
    """TOML or YAML in which the value of a line is another one, or the line is gone or twice."""
    lines = data.decode().splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        key, sign, _ = lines[at].partition(draw(st.sampled_from(["=", ":"])))
        value = draw(st.one_of(VALUES.map(lambda one: json.dumps(one)), st.sampled_from(_RAW)))
        lines[at : at + 1] = draw(
            st.sampled_from([[f"{key}{sign} {value}"], [], [lines[at], lines[at]], [value]])
        )
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def spoiled(path: Path) -> st.SearchStrategy[bytes]:
    """Whatever fits the file's kind, or any bytes of it."""
    data = path.read_bytes()
    if path.name in LAYOUTS:
        fitting = spoiled_records(data, path.name)
    elif path.suffix == ".jsonl":
        fitting = spoiled_lines(data)
    elif path.suffix == ".json":
        document = json.loads(data)
        fitting = spoiled_document(document).map(lambda text: text.encode("utf-8", "surrogatepass"))
    else:
        fitting = spoiled_text(data)
    return st.one_of(fitting, fitting, spoiled_bytes(data))
