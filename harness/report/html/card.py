"""A run on one card, as SVG or PNG: for chats, slides and pages that link to the report."""

from __future__ import annotations

import re

from markupsafe import Markup

from harness.errors import UsageError
from harness.report.compact import wrapped
from harness.report.data import ReportData
from harness.report.html.page import render_template
from harness.report.html.palette import DARK, LIGHT, css_variables
from harness.report.html.summary import build_summary

HEADLINE_LINES = 3
# Characters of the headline's font size on the width of the card.
HEADLINE_CHARS = 82
# Noncharacters, which XML 1.0 cannot hold (section 2.2); others are escaped by the template.
_NO_XML = {0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}
_VARIABLE = re.compile(r"var\(--([a-z0-9-]+)\)")
_SAMPLE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 30" font-family="DejaVu Sans,'
    ' sans-serif"><text y="20">{}</text></svg>'
)


def card_svg(data: ReportData) -> str:
    """One picture of 1,200 by 630 with the verdict and the figures that carry it."""
    return _drawn(data, _style())


def card_png(data: ReportData) -> bytes:
    """The same as PNG, in light colours; needs `pip install 'signal-harness[png]'`.

    Raises:
        UsageError: resvg-py is not installed, or this host has no font.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise UsageError(
            "resvg-py is not installed",
            hint="pip install 'signal-harness[png]', or --card FILE.svg",
        ) from error
    # resvg leaves out text for which it finds no font.
    if svg_to_bytes(svg_string=_SAMPLE.format("P99")) == svg_to_bytes(
        svg_string=_SAMPLE.format("")
    ):
        raise UsageError(
            "no font is installed", hint="install one, such as fonts-dejavu, or --card FILE.svg"
        )
    # resvg knows no custom properties.
    svg = _VARIABLE.sub(lambda found: LIGHT[found[1]], _drawn(data, ""))
    return bytes(svg_to_bytes(svg_string=svg))


def _drawn(data: ReportData, style: str) -> str:
    top = build_summary(data)
    text = render_template(
        "card.svg.j2",
        top=top,
        gauge=top.gauges[0] if top.gauges else None,
        headline=headline_lines(top.headline),
        facts=top.facts,
        picture=top.picture,
        style=Markup(style),  # noqa: S704 - our own colours
    )
    return text.translate(_NO_XML)


def headline_lines(text: str) -> list[str]:
    """The headline in lines; what does not fit ends with an ellipsis."""
    return wrapped(text, HEADLINE_CHARS, HEADLINE_LINES)


def _style() -> str:
    return (
        f":root{{{css_variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{css_variables(DARK)}}}}}"
    )
