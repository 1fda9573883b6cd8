"""A run seen through its metrics page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import ManualClock
from harness.errors import UsageError
from harness.run.live.exporter import Exporter
from harness.run.live.metrics_page_parser import parse_page
from harness.run.live.metrics_server import serving
from harness.run.live.page_source import PageSource
from harness.run.parts import Progress
from tests.unit.live.snapshots import SUBJECT, full_snapshot, page_text


def test_page_is_read_back_to_the_picture_it_was_made_of() -> None:
    """All but what a page has in another form: buckets, and events in words."""
    page = parse_page(page_text(full_snapshot()))
    picture = full_snapshot()
    assert page.run_id == SUBJECT.run_id
    assert page.events == {"service_restarted": 2, "aborted": 1}
    found = page.progress
    assert found is not None
    for name in Progress.__slots__:
        if name not in {"summary", "events"}:
            assert getattr(found, name) == getattr(picture, name), name
    for name in ("simulated", "final", "oldest_open_ns", "latency"):
        assert getattr(found.summary, name) == getattr(picture.summary, name), name
    assert found.summary.by_mode == picture.summary.by_mode[:1], (
        "full has too few signals to speak of"
    )


def test_page_without_a_picture_has_no_progress() -> None:
    """The stack is starting."""
    assert parse_page(page_text(None)).progress is None


@given(st.text(alphabet='harness_ {}"=1\n#.', max_size=80))
def test_what_is_no_page_is_said_to_be_none(text: str) -> None:
    """Whatever is served there: a page, or ValueError."""
    try:
        parse_page(text)
    except ValueError:
        return
    assert "harness_" in text


def test_a_run_is_watched_until_its_page_is_gone() -> None:
    """Starting, under way, with each event once, and over after three answers are missing."""
    exporter = Exporter(ManualClock())
    exporter.begin(SUBJECT)
    with serving(exporter.app, 0) as url:
        window = PageSource(url.removesuffix("/metrics"))
        assert window.poll().message == "the stack is starting"
        exporter.take(full_snapshot())
        for _ in range(2):
            look = window.poll()
            assert look.progress is not None
            assert [event.kind for event in look.progress.events] == [
                "service_restarted",
                "service_restarted",
                "aborted",
            ]
    looks = [window.poll() for _ in range(3)]
    assert [look.ended for look in looks] == [False, False, True]
    assert looks[-1].run_id == SUBJECT.run_id
    assert looks[-1].progress is not None


def test_next_run_of_a_group_begins_without_the_events_of_the_last() -> None:
    """The page of a `--repeat` goes on with another run."""
    exporter = Exporter(ManualClock())
    exporter.begin(SUBJECT)
    exporter.take(full_snapshot())
    with serving(exporter.app, 0) as url:
        window = PageSource(url)
        window.poll()
        exporter.begin(type(SUBJECT)("another", "smoke", 8, "process"))
        exporter.take(Progress(phase="start", elapsed_ns=0, total_ns=1))
        look = window.poll()
    assert look.run_id == "another"
    assert look.progress is not None
    assert look.progress.events == ()


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/metrics", "http://", "file:///etc/passwd"])
def test_only_pages_are_read(url: str) -> None:
    """No file, and no other protocol."""
    with pytest.raises(UsageError):
        PageSource(url)


def test_nobody_there_is_wrong_usage() -> None:
    """A run that was started without a page is told apart from one that has ended."""
    with serving(Exporter(ManualClock()).app, 0) as url:
        pass
    with pytest.raises(UsageError, match="cannot be read") as error:
        PageSource(url).poll()
    assert "--metrics-port" in error.value.hint
