"""What Redis answers, as it comes over the wire."""

from __future__ import annotations

from harness.telemetry.sources.redis_server import OTHERS, fields_of, refused_count, sum_groups

INFO = b"# Memory\r\nused_memory:1100352\r\nused_memory_human:1.05M\r\n\r\n# X\r\na:b:c\r\n"


def group(name: str, pending: int, lag: int | None = None, *, has_lag: bool = True) -> list[object]:
    """One group of XINFO GROUPS."""
    fields = [
        b"name",
        name.encode(),
        b"consumers",
        1,
        b"pending",
        pending,
        b"last-delivered-id",
        b"0-0",
    ]
    return [*fields, b"entries-read", 3, b"lag", lag] if has_lag else fields


def test_fields_of_info() -> None:
    """Names and values; headings are none."""
    assert fields_of(INFO) == {
        b"used_memory": b"1100352",
        b"used_memory_human": b"1.05M",
        b"a": b"b:c",
    }


def test_what_a_full_redis_refuses_is_refused() -> None:
    """Errors of other kinds are not; a server without error counts still has its connections."""
    text = b"rejected_connections:2\r\nerrorstat_OOM:count=313\r\nerrorstat_ERR:count=7\r\n"
    assert refused_count(fields_of(text)) == 315
    assert refused_count(fields_of(b"rejected_connections:2\r\n")) == 2
    assert refused_count(fields_of(b"errorstat_OOM:count=5\r\n")) is None


def test_groups_by_name_and_the_rest_together() -> None:
    """A group for each of a hundred agents is one track: the largest lag, all that is pending."""
    groups = [group("cg:engine", 2, 5), *(group(f"cg:agent:{n}", n, n) for n in range(4))]
    assert sum_groups(groups, ["cg:engine", None]) == {"cg:engine": (5, 2), OTHERS: (3, 6)}


def test_a_lag_that_is_not_reported() -> None:
    """Redis before 7.0 does not know of it; later ones may have lost count."""
    assert sum_groups([group("g", 1, has_lag=False)], ["g"]) == {"g": (None, 1)}
    assert sum_groups([group("g", 1), group("h", 2)], []) == {OTHERS: (None, 3)}
