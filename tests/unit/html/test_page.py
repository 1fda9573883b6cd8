"""The page: its order, its texts for screen readers, and text from a run without effect."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import plotly.graph_objects
import pytest

from harness.judge.check import CheckKind, CheckSpec
from harness.judge.judgement import with_check
from harness.judge.verdict import Verdict
from harness.report.data import ReportData
from harness.report.html import html_report
from harness.report.html.page import SECTIONS
from harness.report.html.palette import LIGHT
from tests.unit.html.outline import Outline, outline_of
from tests.unit.html.report_page import HOSTILE, rich_data

KEYS = [
    "verdict",
    "latency",
    "time",
    "where",
    "load-stages",
    "load",
    "signals",
    "resources",
    "diagnosis",
    "checks",
    "environment",
    "reproduce",
]


@pytest.fixture(scope="module")
def page(rich: ReportData) -> Outline:
    """The page of a run with everything in it."""
    return outline_of(html_report(rich))


def test_sections_come_in_the_order_of_questions(page: Outline) -> None:
    """Verdict first, how to reproduce last."""
    found = [a["id"] for a in page.all("section")]
    assert [key for key in found if key in KEYS] == KEYS
    assert len(found) == len(SECTIONS) + 1


def test_markup_is_whole(page: Outline) -> None:
    """Every element is closed, every id is there once, every link leads somewhere."""
    assert page.unclosed == []
    assert len(page.ids) == len(set(page.ids))
    anchors = [a["href"] or "" for a in page.all("a")]
    assert {href[1:] for href in anchors} <= set(page.ids)
    assert all(href.startswith("#") for href in anchors)


def test_headings_step_down_by_one(page: Outline) -> None:
    """One h1, and no level is skipped."""
    levels = [level for level, _ in page.headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(text.strip() for _, text in page.headings)


def test_verdict_comes_with_its_reason(page: Outline, rich: ReportData) -> None:
    """Verdict, message, cause and grade are above everything else."""
    top = page.text.partition("How slow are the slowest signals?")[0]
    for part in ("FAIL", "two signals were lost", "signals wait for the nonce lock", "indicative"):
        assert part in top
    assert all(reason in top for reason in rich.judgement.grade.reasons)


def test_each_reason_of_the_grade_is_shown_once(rich: ReportData) -> None:
    """With the grade, and not again among the facts of the stack."""
    reason = rich.judgement.grade.reasons[0]
    with_reasons = replace(rich, stack={**rich.stack, "grade_reasons": [reason]})
    assert html_report(with_reasons).count(reason) == html_report(rich).count(reason) == 1


def test_no_name_of_the_code_is_on_the_page(rich: ReportData) -> None:
    """Enumerations are shown by their values."""
    late = CheckSpec("late", "late", CheckKind.VALIDITY).judged(Verdict.INVALID, "it was late")
    text = html_report(replace(rich, judgement=with_check(rich.judgement, late)))
    body = text[text.index("<body") :]
    assert "it was late" in body
    assert "Verdict." not in body
    assert "Kind." not in body
    assert "Answer." not in body


def test_every_figure_explains_itself(page: Outline) -> None:
    """Title, what it shows, what is good, a message for screen readers, and a table."""
    figures = page.all("figure")
    assert len(figures) > 10
    plots = {a["id"]: a for _, a in page.tags if a.get("class") == "plot"}
    for figure in figures:
        plot = plots[f"{figure['id']}-plot"]
        assert plot["role"] == "img"
        assert len(plot["aria-label"] or "") > 40
        assert figure["aria-labelledby"] in page.ids
    assert page.text.count("Good: ") == len(figures)
    assert page.text.count("Table: ") >= len(figures)


def test_axes_have_titles_and_units(page: Outline) -> None:
    """A number without a name, or a name without a unit, is not understood."""
    for drawing in page.data("drawings"):
        for name, axis in axes_of(drawing["layout"]):
            if name == "yaxis" and axis.get("autorange") == "reversed":
                continue  # names of stages
            assert "title" in axis, (drawing["key"], name)


def axes_of(layout: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Axes of a drawing by name."""
    return ((key, v) for key, v in layout.items() if key.startswith(("xaxis", "yaxis")))


def with_colours(value: Any) -> Any:
    """A drawing as the page colours it."""
    if isinstance(value, str):
        return LIGHT[value[1:]] if value.startswith("@") else value
    if isinstance(value, list):
        return [with_colours(one) for one in value]
    if isinstance(value, dict):
        return {key: with_colours(one) for key, one in value.items() if key != "counts"}
    return value


def test_plotly_knows_every_attribute_of_every_drawing(page: Outline) -> None:
    """A misspelled attribute would be ignored in silence by the page; here it is an error."""
    drawings = page.data("drawings")
    assert len(drawings) == len(page.all("figure"))
    for drawing in drawings:
        plotly.graph_objects.Figure(
            data=with_colours(drawing["data"]), layout=with_colours(drawing["layout"])
        )


def test_page_makes_no_request(rich: ReportData) -> None:
    """No address but those of the page itself and of SVG; the policy forbids the rest."""
    text = html_report(rich)
    outline = outline_of(text)
    assert all("src" not in a or a["src"] is None for _, a in outline.tags)
    policy = next(a for a in outline.all("meta") if a.get("http-equiv"))["content"] or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "connect-src" not in policy


def test_policy_names_the_scripts_that_are_there(page: Outline) -> None:
    """The page's script and Plotly's, by their hashes."""
    kinds = [a.get("type") for a in page.all("script")]
    assert kinds == ["application/json", "application/json", "text/plain", None]
    packed = next(
        text
        for a, text in zip(page.all("script"), page.scripts, strict=True)
        if a.get("id") == "plotly"
    )
    plotly_script = gzip.decompress(base64.b64decode(packed))
    policy = next(a for a in page.all("meta") if a.get("http-equiv"))["content"] or ""
    for script in (plotly_script, page.scripts[-1].encode()):
        digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_text_of_a_run_stays_text(plain: ReportData) -> None:
    """The name of an event, an example or a series adds no element."""
    text = html_report(rich_data(plain, HOSTILE))
    outline, clean = outline_of(text), outline_of(html_report(rich_data(plain, " ok")))
    assert [tag for tag, _ in outline.tags] == [tag for tag, _ in clean.tags]
    assert "<img" not in text
    assert outline.text.count(HOSTILE) > 20
    for drawing in outline.data("drawings"):
        for text_part in plotted_texts(drawing):
            assert "<script" not in text_part
            assert "<img" not in text_part


def plotted_texts(value: Any) -> Iterator[str]:
    """Every string in a drawing."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from plotted_texts(one)


def test_missing_parts_of_a_run_are_named(plain: ReportData) -> None:
    """An older run without seconds, telemetry, diagnosis or histogram logs."""
    old = replace(
        plain, measurement=plain.measurement.model_copy(update={"seconds": ()}), latency=()
    )
    page = outline_of(html_report(old))
    missing = [a["id"] for _, a in page.tags if "missing" in (a.get("class") or "").split()]
    assert missing == ["heat", "rate", "lateness", "telemetry"]
    assert "harness diagnose" in page.text


def test_empty_run_has_a_page(plain: ReportData) -> None:
    """Nothing measured, nothing drawn, and no crash."""
    empty = plain.measurement.model_copy(
        update={"figures": (), "splits": (), "intervals": (), "rates": (), "seconds": ()}
    )
    judgement = plain.judgement.model_copy(update={"verdict": Verdict.INVALID, "checks": ()})
    text = html_report(replace(plain, measurement=empty, judgement=judgement, latency=()))
    assert "Not shown: no signal of the measured phase has a latency" in text


def test_same_run_same_page(rich: ReportData) -> None:
    """Nothing but the evidence goes in."""
    assert html_report(rich) == html_report(rich)


def test_command_and_seed_are_shown(page: Outline, rich: ReportData) -> None:
    """A reader can repeat the run."""
    assert rich.command in page.text
    assert f"seed {rich.plan.seed}" in page.text
