"""The card of a run."""

from __future__ import annotations

import struct
import sys
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.judge.verdict import Verdict
from harness.report.data import ReportData
from harness.report.html.card import card_png, card_svg, headline_lines
from harness.report.html.heatmap import HeatColumn
from harness.report.html.latency_bars import BARS_MAX, picture_of
from harness.report.html.palette import LIGHT
from tests.unit.html.report_page import HOSTILE, rich_data

SVG = "{http://www.w3.org/2000/svg}"
BYTES_MAX = 40_000


def elements_of(card: str) -> list[ET.Element]:
    """The elements of a card, in order."""
    return list(ET.fromstring(card).iter())  # noqa: S314 - our own card


def texts_of(card: str) -> list[str]:
    """The texts of a card, in order."""
    return [one.text or "" for one in elements_of(card) if one.tag == f"{SVG}text"]


def columns(seconds: int) -> list[HeatColumn]:
    """A signal in each second, each slower than the one before."""
    return [
        HeatColumn(float(at), at + 1.0, np.array([100 + at]), np.array([1]))
        for at in range(seconds)
    ]


def test_it_has_verdict_figures_and_run(rich: ReportData) -> None:
    """The verdict, the objective with its interval, the load and the run id."""
    texts = texts_of(card_svg(rich))
    assert texts[0] == rich.judgement.verdict.value
    assert {rich.scenario.name, rich.executed, rich.run_id, "limit 500 ms"} <= set(texts)
    assert len(card_svg(rich).encode()) < BYTES_MAX


def test_text_from_outside_stays_text(rich: ReportData) -> None:
    """Also what XML cannot hold."""
    hostile = rich_data(rich, HOSTILE)
    scenario = hostile.scenario.model_copy(update={"name": f"a\x00\x1b[2J\uffff\u202e{HOSTILE}"})
    elements = elements_of(card_svg(replace(hostile, scenario=scenario)))
    tags = {element.tag.removeprefix(SVG) for element in elements}
    assert tags == {"svg", "title", "style", "rect", "text", "path", "circle"}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_each_verdict_has_a_card(rich: ReportData, verdict: Verdict) -> None:
    """Also a run without an objective that can be drawn, and without latency over time."""
    judgement = rich.judgement.model_copy(update={"verdict": verdict, "checks": ()})
    bare = replace(rich, latency=(), judgement=judgement)
    assert texts_of(card_svg(bare))[0] == verdict.value


@given(st.integers(1, 700), st.lists(st.integers(1, 10**12), max_size=3))
def test_bars_are_in_the_picture_and_in_order(seconds: int, limits_ns: list[int]) -> None:
    """Every interval has one place, and nothing is drawn outside."""
    picture = picture_of(columns(seconds), limits_ns)
    assert picture is not None
    assert len(picture.bars) == min(seconds, -(-seconds // -(-seconds // BARS_MAX)))
    ends = [(bar.left, bar.left + bar.width) for bar in picture.bars]
    assert ends[0][0] == 0
    assert ends[-1][1] == pytest.approx(1)
    assert all(end <= start + 2e-4 for (_, end), (start, _) in pairwise(ends))
    assert all(0 <= bar.top <= bar.bottom <= 1 for bar in picture.bars)
    assert all(0 <= down <= 1 for _, down in picture.limits)


def test_a_long_headline_ends_with_an_ellipsis() -> None:
    """A card has a fixed size."""
    lines = headline_lines("word " * 200)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert headline_lines("short") == ["short"]


def test_png_has_the_size_of_the_card(rich: ReportData, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,200 by 630, as the header of the PNG says; without the package it names the extra."""
    pytest.importorskip("resvg_py")
    png = card_png(rich)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1200, 630)
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(UsageError) as refused:
        card_png(rich)
    assert "signal-harness[png]" in refused.value.hint


def test_no_colour_of_the_png_is_a_variable(rich: ReportData) -> None:
    """An unknown colour would be black: every one is resolved, the badge has the verdict's."""
    resvg = pytest.importorskip("resvg_py")
    drawn: list[str] = []

    def draw(svg_string: str) -> bytes:
        drawn.append(svg_string)
        return svg_string.encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resvg, "svg_to_bytes", draw)
        card_png(rich)
    assert "var(" not in drawn[-1]
    assert LIGHT[rich.judgement.verdict.value.lower()] in drawn[-1]


def test_host_without_a_font_is_named(rich: ReportData) -> None:
    """A card without text would look like a result."""
    resvg = pytest.importorskip("resvg_py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resvg, "svg_to_bytes", lambda **_: b"empty")
        with pytest.raises(UsageError, match="no font"):
            card_png(rich)
