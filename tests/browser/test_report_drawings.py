"""The page of a run in a real browser: everything is drawn, and nothing else happens.

One page serves all tests of this module, since opening one costs more than looking at it; each
leaves it as it was.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page

from harness.report.html.palette import DARK, LIGHT
from tests.browser.conftest import Opened

pytestmark = pytest.mark.browser

# Of each drawing: marks of any kind that Plotly makes, titles of axes, and the width it takes.
MARKS = """() => [...document.querySelectorAll('.plot')].filter(
    box => !box.closest('details:not([open])')
).map(box => ({
    id: box.id,
    drawn: box.dataset.drawn,
    marks: box.querySelectorAll('.js-line, .point, .hm image, .bars path').length,
    titles: box.querySelectorAll('.g-xtitle text, .g-ytitle text').length,
    wide: box.querySelector('svg.main-svg')?.clientWidth || 0,
}))"""
CURVE = "want => document.querySelector('#percentiles-plot .js-line').style.stroke === want"
GROUND = "() => getComputedStyle(document.body).backgroundColor"


def test_every_figure_is_drawn(rich: Opened) -> None:
    """Marks and axis titles in each; no word on the console, no request."""
    found = rich.page.evaluate(MARKS)
    assert len(found) > 9
    for figure in found:
        assert figure["drawn"] == "yes", figure
        assert figure["marks"] > 0, figure
        assert figure["titles"] > 0, figure
        assert figure["wide"] > 300, figure
    assert rich.said == []
    assert rich.asked == []


def test_more_telemetry_is_drawn_when_it_is_opened(rich: Opened) -> None:
    """What is folded away costs nothing until somebody looks."""
    page = rich.page
    assert page.locator("#further-plot").get_attribute("data-drawn") is None
    page.locator("details.further > summary").click()
    page.wait_for_selector("#further-plot[data-drawn=yes]")
    assert page.locator("#further-plot .js-line").count() > 0
    page.locator("details.further > summary").click()


def ranges(page: Page) -> dict[str, list[float]]:
    """The time axis of every figure over time."""
    found: dict[str, list[float]] = page.evaluate(
        """() => Object.fromEntries(JSON.parse(document.getElementById('drawings').textContent)
        .filter(d => d.onTime && document.getElementById(d.key + '-plot').dataset.drawn)
        .map(d => [d.key, document.getElementById(d.key + '-plot')._fullLayout.xaxis.range]))"""
    )
    return found


def drag_area(page: Page) -> dict[str, Any]:
    """Where the mouse can draw a stretch of time."""
    box = page.locator("#rate-plot .nsewdrag.drag").first
    box.scroll_into_view_if_needed()
    place = box.bounding_box()
    assert place is not None
    return {**place}


def test_figures_over_time_zoom_together(rich: Opened) -> None:
    """By keyboard in the two fields, by dragging in one of them, and back to the whole run."""
    page = rich.page
    whole = ranges(page)
    assert len(whole) > 5
    page.get_by_role("spinbutton", name="from").fill("4")
    page.get_by_role("spinbutton", name="to").fill("9")
    page.keyboard.press("Enter")
    start = "() => document.querySelector('#heat-lite-plot')._fullLayout.xaxis.range[0]"
    page.wait_for_function(f"({start})() === 4")
    assert all(value == pytest.approx([4, 9]) for value in ranges(page).values())
    page.get_by_role("button", name="Whole run").click()
    page.wait_for_function(f"({start})() === 0")
    assert ranges(page) == whole
    place = drag_area(page)
    page.mouse.move(place["x"] + place["width"] * 0.4, place["y"] + 40)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] * 0.6, place["y"] + 42, steps=4)
    page.mouse.up()
    page.wait_for_function(f"({start})() > 1")
    first, *others = ranges(page).values()
    assert all(value == pytest.approx(first) for value in others)
    page.get_by_role("button", name="Whole run").click()
    page.wait_for_function(f"({start})() === 0")


def test_pointing_at_one_moment_shows_it_everywhere(rich: Opened) -> None:
    """A line at the same time, and at the same place, in every figure over time."""
    page, place = rich.page, drag_area(rich.page)
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    shown = "() => document.querySelector('#cpu-plot .cursor').style.display"
    page.wait_for_function(f"({shown})() === 'block'")
    at = page.evaluate(
        "() => [...document.querySelectorAll('#heat-lite-plot, #rate-plot, #cpu-plot')]"
        ".map(box => box.querySelector('.cursor').style.left)"
    )
    assert len(at) == 3
    assert len(set(at)) == 1


def test_colours_follow_the_reader(rich: Opened) -> None:
    """Page and drawings take the palette of the mode, and change with it while open."""
    page = rich.page
    for theme, mode in ((DARK, "dark"), (LIGHT, "light")):
        page.emulate_media(color_scheme=mode)  # type: ignore[arg-type]  # one of its words
        assert page.evaluate(GROUND) == rgb(theme["page"])
        page.wait_for_function(CURVE, arg=rgb(theme["series1"]))


def rgb(colour: str) -> str:
    """A hex colour as a browser tells it."""
    parts = [str(int(colour[at : at + 2], 16)) for at in (1, 3, 5)]
    return f"rgb({', '.join(parts)})"


def test_print_has_every_figure_on_light_ground(rich: Opened) -> None:
    """Also from dark mode; no drawing is wider than the paper, and the screen comes back."""
    page = rich.page
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate(GROUND) == "rgb(255, 255, 255)"
    page.wait_for_function(CURVE, arg=rgb(LIGHT["series1"]))
    assert all(0 < figure["wide"] <= 680 for figure in page.evaluate(MARKS))
    page.emulate_media(color_scheme="light", media="screen")
    page.wait_for_function(CURVE, arg=rgb(LIGHT["series1"]))
    paper = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) > 5
