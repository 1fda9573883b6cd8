"""The page of runs over time in a real browser: drawn, filtered, and for everyone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from harness.report.history import HistoryRun
from harness.report.html.history_page import history_page
from harness.report.trend import trends_of
from tests.browser.conftest import Opened, Opener
from tests.browser.test_report_access import check_by_axe
from tests.studies.history.nights import TWO_CHANGES, Nights

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def history_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty nights of one scenario and five of another, one of them FAIL."""
    other = Nights(count=5, own={"scenario": "smoke", "question": "b" * 12, "stack": "process"})
    lines = [*TWO_CHANGES.lines(1), *other.lines(2)]
    lines = [
        line.model_copy(update={"run_id": f"{line.run_id}-{line.scenario}", "verdict": verdict})
        for number, line in enumerate(lines)
        for verdict in ("FAIL" if number == 64 else "PASS",)
    ]
    links = {lines[0].run_id: "runs/first.html"}
    path = tmp_path_factory.mktemp("history") / "index.html"
    trends = trends_of(map(HistoryRun, lines))
    path.write_text(history_page(trends, links, ["h.jsonl: line 9: torn"]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def shown(opener: Opener, history_file: Path) -> Iterator[Opened]:
    """The page on a desktop in light mode."""
    opened = opener.open(history_file)
    yield opened
    opened.page.context.close()


def test_each_figure_is_drawn(shown: Opened) -> None:
    """Points, intervals, medians and lines of changes; no request, no message."""
    page = shown.page
    assert page.locator(".plot[data-drawn=yes]").count() == 2
    assert page.locator("#t1-1-plot .points path.point").count() == 60
    assert page.locator("#t1-1-plot .shapelayer path").count() >= 3
    assert page.locator("#t1-1-plot .annotation").count() >= 3
    assert shown.asked == []
    assert shown.said == []


def test_table_is_filtered_by_keyboard(shown: Opened) -> None:
    """By scenario, verdict and text, and back; the count is announced."""
    page = shown.page
    rows = page.locator("#runs-table tbody tr:not([hidden])")
    expect(rows).to_have_count(65)
    page.get_by_label("scenario").focus()
    page.keyboard.type("smoke")
    expect(rows).to_have_count(5)
    page.get_by_label("verdict").select_option("FAIL")
    expect(page.get_by_role("status").filter(has_text="1 of 65 runs")).to_be_visible()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="All runs").focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(65)
    page.get_by_label("text").fill("20260103")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="All runs").click()
    expect(rows).to_have_count(65)


def test_change_leads_to_its_figure(shown: Opened) -> None:
    """And a run to its report."""
    page = shown.page
    page.locator("#overview a[href='#t1-1']").first.click()
    assert page.evaluate("() => location.hash") == "#t1-1"
    assert page.locator("#runs-table a").first.get_attribute("href") == "runs/first.html"


def test_axe_finds_nothing(shown: Opened) -> None:
    """WCAG 2.2 AA in light and dark mode, everything unfolded."""
    shown.page.evaluate(
        "() => document.querySelectorAll('details').forEach(one => { one.open = true; })"
    )
    check_by_axe(shown.page)


def test_phone_needs_no_sideways_scrolling(opener: Opener, history_file: Path) -> None:
    """360 pixels hold the page; wide tables scroll in themselves."""
    opened = opener.open(history_file, width=360, phone=True)
    page = opened.page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert opened.said == []
    page.context.close()


def test_without_javascript_everything_is_in_tables(opener: Opener, history_file: Path) -> None:
    """Every run, and no filter that would do nothing."""
    page = opener.open(history_file, script=False).page
    assert page.locator("#runs-table tbody tr").count() == 65
    assert page.locator("#runs-filter").is_hidden()
    page.locator("#t1-1 .table summary").first.click()
    assert page.locator("#t1-1 td").first.is_visible()
    page.context.close()
