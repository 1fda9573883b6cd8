from __future__ import annotations

from typing import Any

import pytest

from harness.contract.names import Contract
from harness.observe.redis_facts import group_facts, stream_facts
from harness.observe.stream_samplers import sample_of

ENTRY: Any = {b"data": b"x"}
# What Redis 6.2.14 and 7.0.15 answered: six entries, two of them read, then trimmed to the last.
STREAM_6: dict[str, Any] = {
    "length": 1,
    "radix-tree-keys": 1,
    "radix-tree-nodes": 2,
    "last-generated-id": b"6-0",
    "groups": 1,
    "first-entry": (b"6-0", ENTRY),
    "last-entry": (b"6-0", ENTRY),
}
STREAM_7 = STREAM_6 | {
    "max-deleted-entry-id": b"0-0",
    "entries-added": 6,
    "recorded-first-entry-id": b"6-0",
}
GROUP_6 = {"name": b"cg:engine", "consumers": 1, "pending": 2, "last-delivered-id": b"2-0"}
GROUP_7 = GROUP_6 | {"entries-read": 2, "lag": 4}


@pytest.mark.parametrize(
    ("stream", "group", "added", "read", "lag"),
    [(STREAM_6, GROUP_6, None, None, None), (STREAM_7, GROUP_7, 6, 2, 4)],
    ids=["6.2", "7.0"],
)
def test_each_version_reports_its_fields(
    stream: dict[str, Any],
    group: dict[str, Any],
    added: int | None,
    read: int | None,
    lag: int | None,
) -> None:
    """A missing field is None, not zero; no payload is kept."""
    other = group | {"name": b"cg:other", "last-delivered-id": b"6-0"}
    assert sample_of(stream, [other, group], Contract()) == {
        "stream": {
            "length": 1,
            "entries_added": added,
            "first_id": "6-0",
            "newest_id": "6-0",
            "last_id": "6-0",
        },
        "group": {
            "name": "cg:engine",
            "consumers": 1,
            "pending": 2,
            "last_delivered_id": "2-0",
            "lag": lag,
            "entries_read": read,
        },
    }


def test_an_empty_stream_has_no_entries() -> None:
    """It keeps the id that it gave last."""
    empty = {"first-entry": None, "last-entry": None, "length": 0}
    facts = stream_facts(STREAM_7 | empty)
    assert (facts["first_id"], facts["newest_id"], facts["last_id"]) == (None, None, "6-0")


def test_absent_group_and_stream_are_none() -> None:
    """An engine that never started has no group."""
    assert group_facts([], Contract()) is None
    assert sample_of(STREAM_6, [], Contract())["group"] is None
    assert sample_of(None, [], Contract()) == {"stream": None, "group": None}


def test_names_that_are_no_text_cost_nothing() -> None:
    """Anybody can make a group with any bytes for a name."""
    strange = {**GROUP_7, "name": b"\xff\xfe"}
    found = group_facts([strange, GROUP_7], Contract())
    assert found is not None
    assert found["name"] == "cg:engine"
    assert group_facts([strange], Contract()) is None
