"""Pages that no Prometheus client writes: each is refused in bounded time, none with a crash."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.telemetry.prometheus_page import LINE_CHARS_MAX, parse_families
from harness.telemetry.service_counters import parse_signal_counts


@pytest.mark.parametrize(
    "page",
    [
        'a{b="c", ="d"} 1',  # IndexError in the parser
        "<html>{",
        "a{" + ",".join(f'b{n}="c"' for n in range(LINE_CHARS_MAX)) + "} 1",
        "# TYPE a" + " " * LINE_CHARS_MAX + "gauge",
    ],
)
def test_a_malformed_page_is_refused(page: str) -> None:
    """As a ValueError, which every reader of pages handles."""
    with pytest.raises(ValueError):  # noqa: PT011 - the message is that of the parser
        list(parse_families([page], cpu_max_s=5))


def test_a_page_cannot_use_up_the_processor() -> None:
    """Long lines are slow to parse; the time of all of them is limited."""
    line = "a{" + ",".join(f'b{n}="c"' for n in range(300)) + "} 1"
    begin_ns = time.thread_time_ns()
    with pytest.raises(ValueError, match="to parse"):
        list(parse_families([line] * 10_000, cpu_max_s=0.05))
    assert time.thread_time_ns() - begin_ns < 2_000_000_000


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_a_page_or_a_value_error(text: str) -> None:
    """No other error reaches the reader of a page."""
    with suppress(ValueError):
        parse_signal_counts(f"defi_signals_total{{{text}}} 1\n{text}\n")
