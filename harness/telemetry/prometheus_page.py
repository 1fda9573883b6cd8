"""Prometheus pages: fetched with `HttpClient`, parsed in bounded time.

`prometheus_client.parser` parses the text format
(https://prometheus.io/docs/instrumenting/exposition_formats/). Its time grows with the square of
the length of a line, and it raises IndexError on some text that is no page; a page comes from
another program, so the length of a line and the processor time are limited here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TextIO, cast

from prometheus_client import Metric
from prometheus_client.parser import text_fd_to_metric_families

from harness.clock import NS_PER_S
from harness.http_client import OK, HttpClient

LINE_CHARS_MAX = 4_096


def parse_families(lines: Iterable[str], *, cpu_max_s: float) -> Iterator[Metric]:
    """The metric families of a page.

    Args:
        lines: of the page; comments but for types are left out.
        cpu_max_s: processor time of this thread for all of it, the caller's own included.

    Raises:
        ValueError: it is no such page, has a line of more than `LINE_CHARS_MAX` characters, or
            takes longer.
    """
    # The parser reads no more of a file than its lines.
    text = cast("TextIO", _bounded(lines, cpu_max_s))
    try:
        yield from text_fd_to_metric_families(text)
    except (IndexError, KeyError) as error:
        raise ValueError("not a Prometheus page") from error


def _bounded(lines: Iterable[str], cpu_max_s: float) -> Iterator[str]:
    deadline_ns = time.thread_time_ns() + round(cpu_max_s * NS_PER_S)
    for line in lines:
        if line.startswith("#") and not line.startswith("# TYPE "):
            continue
        if len(line) > LINE_CHARS_MAX:
            raise ValueError(f"a line has more than {LINE_CHARS_MAX} characters")
        if time.thread_time_ns() > deadline_ns:
            raise ValueError(f"it takes more than {cpu_max_s:g} s to parse")
        yield line


def read_page(client: HttpClient) -> str:
    """The text of the page of a client.

    Raises:
        OSError: the server does not answer, or not by HTTP, or with too large a page.
        ValueError: another status than 200, or not UTF-8.
    """
    answer = client.get()
    if answer.status != OK:
        raise ValueError(f"HTTP {answer.status}")
    return answer.body.decode()
