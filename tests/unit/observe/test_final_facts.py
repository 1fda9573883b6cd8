from __future__ import annotations

from harness.contract.names import Contract
from harness.observe.redis_facts import group_facts, stream_facts


def test_redis_before_7_leaves_figures_out() -> None:
    """What the server does not tell is None, not zero."""
    facts = stream_facts({"length": 2, "first-entry": (b"1-0", {}), "last-generated-id": b"2-0"})
    assert facts == {"length": 2, "entries_added": None, "first_id": "1-0", "last_id": "2-0"}
    group = {"name": b"cg:engine", "consumers": 4, "pending": 3, "last-delivered-id": b"2-0"}
    found = group_facts([group], Contract())
    assert found is not None
    assert (found["pending"], found["lag"], found["entries_read"]) == (3, None, None)


def test_redis_7_tells_them() -> None:
    """Lag and entries read are passed on."""
    group = {"name": "cg:engine", "consumers": 4, "pending": 0, "last-delivered-id": "2-0"}
    found = group_facts([group | {"lag": 5, "entries-read": 9}], Contract())
    assert found is not None
    assert (found["lag"], found["entries_read"]) == (5, 9)


def test_absent_group_is_none() -> None:
    """An engine that never started has no group."""
    assert group_facts([], Contract()) is None
    assert stream_facts({"length": 0, "first-entry": None})["first_id"] is None
