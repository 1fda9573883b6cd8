"""The page of a run for everyone: keyboard, screen reader, phone, no JavaScript."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opened, Opener

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def check_by_axe(page: Page) -> None:
    """No violation of the rules in light and dark mode."""
    if not AXE.is_file():
        pytest.skip("no axe-core: run npm install in this folder")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for mode in ("dark", "light"):
        page.emulate_media(color_scheme=mode)
        found = page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then("
            "found => found.violations.map(one => [one.id, one.help, one.nodes.slice(0, 3).map("
            "node => node.html + node.failureSummary)]))",
            RULES,
        )
        assert found == [], mode


def test_keyboard_reaches_everything_in_order(rich: Opened) -> None:
    """The skip link comes first; then links, fields, tables and folds from top to bottom."""
    page = rich.page
    page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    assert page.evaluate("() => document.activeElement.getBoundingClientRect().left") >= 0
    places: list[float] = []
    tags: list[str] = []
    for _ in range(30):
        page.keyboard.press("Tab")
        tag, top, outline = page.evaluate(
            "() => { const it = document.activeElement; return [it.tagName,"
            " it.getBoundingClientRect().top + scrollY, getComputedStyle(it).outlineStyle]; }"
        )
        places.append(top)
        tags.append(tag)
        assert outline != "none", tag
    assert {"A", "INPUT", "BUTTON", "SUMMARY"} <= set(tags)
    # Links of one line do not stand at exactly one height.
    assert all(after > before - 40 for before, after in pairwise(places))


def test_skip_link_goes_to_the_report(rich: Opened) -> None:
    """One key past the head of the page."""
    rich.page.locator(".skip").focus()
    rich.page.keyboard.press("Enter")
    assert rich.page.evaluate("() => document.activeElement.id") == "main"


def test_table_opens_by_keyboard(rich: Opened) -> None:
    """A figure's table is one key away."""
    rich.page.locator("#percentiles .table summary").focus()
    rich.page.keyboard.press("Enter")
    assert rich.page.locator("#percentiles table").is_visible()
    rich.page.keyboard.press("Enter")


def test_screen_reader_gets_words_for_each_drawing(rich: Opened) -> None:
    """An image with a message, and no loose labels of axes; regions by name."""
    tree = rich.page.locator("#percentiles").aria_snapshot()
    assert "signals half took at most" in tree
    assert "logarithmic)" not in tree
    for role in ("main", "banner", "contentinfo", "navigation"):
        assert rich.page.get_by_role(role).count() == 1, role


def test_axe_finds_nothing(rich: Opened) -> None:
    """WCAG 2.2 AA in light and dark mode, as far as a program can tell."""
    check_by_axe(rich.page)


def test_harmful_words_do_nothing_on_a_phone(opener: Opener, pages: dict[str, Path]) -> None:
    """No element comes of a run's words, and 360 pixels hold even the longest of them."""
    opened = opener.open(pages["hostile"], width=360, phone=True)
    page = opened.page
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.wait_for_selector("#further-plot[data-drawn=yes]")
    assert page.evaluate("() => window.hacked") is None
    assert page.locator("img").count() == 0
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    wide = page.evaluate(
        "() => [...document.querySelectorAll('.plot svg.main-svg')].map(svg => svg.clientWidth)"
    )
    assert wide
    assert max(wide) <= 360
    assert opened.said == []
    assert opened.asked == []
    page.context.close()


def test_without_javascript_all_words_are_there(opener: Opener, pages: dict[str, Path]) -> None:
    """Verdict, messages and tables; no empty boxes where drawings would be."""
    page = opener.open(pages["rich"], script=False).page
    text = page.locator("main").inner_text()
    for part in ("FAIL", "two signals were lost", "need JavaScript", "signals half took"):
        assert part in text
    assert page.locator(".plot:visible").count() == 0
    page.locator("#percentiles .table summary").click()
    assert page.locator("#percentiles td").first.is_visible()
    assert page.locator("form.range").is_hidden()
    page.context.close()
