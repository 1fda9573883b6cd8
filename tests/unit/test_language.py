"""Texts in Chinese: complete, with the same figures, and only where people read first."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from harness.assessment.assess import assess_and_store
from harness.assessment.check_table import all_specs
from harness.errors import UsageError
from harness.language import catalogue, choose, is_english, language_of, spoken, tr
from harness.report.compact import ClosingHints, closing_lines, compact_lines
from harness.report.data import ReportData, read_report_data
from harness.report.headline import HORIZON
from harness.report.html import html_report
from harness.report.html.card import card_svg
from harness.report.html.page import SECTIONS
from harness.report.html.run_timeline import timeline_of
from harness.report.html.summary import GRADE_TEXTS
from harness.report.junit import junit_xml
from harness.report.markdown import markdown
from harness.report.terminal import SECTIONS as TERMINAL_SECTIONS
from tests.unit.analysis.evidence import healthy

ROOT = Path(__file__).resolve().parents[2]
CHINESE = catalogue("zh")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_IN_TEMPLATE = re.compile(r'\{\{-? *"([^"]+)" \| tr')


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    """A healthy run."""
    folder = healthy().write(tmp_path_factory.mktemp("reports"))
    assess_and_store(folder)
    return read_report_data(folder)


def fields(text: str) -> set[str]:
    """Names of the figures in a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def literals() -> Iterator[str]:
    """Every text that the code or a template asks for."""
    for path in (ROOT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.func.id == "tr" and node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value
    for path in (ROOT / "harness/report/html/templates").iterdir():
        yield from _IN_TEMPLATE.findall(path.read_text(encoding="utf-8"))


def test_every_text_is_translated(data: ReportData) -> None:
    """Those of the code and of the templates, names of checks, titles of sections."""
    timeline = timeline_of(
        data.plan.load, data.measurement, data.run.events, data.plan.t0_ns,
        data.run.observation_end_ns,
    )  # fmt: skip
    sections = [build(data, timeline) for build in SECTIONS]
    wanted = {
        *literals(),
        *(spec.name for spec in all_specs()),
        *(title for title, _ in TERMINAL_SECTIONS),
        HORIZON,
        *GRADE_TEXTS.values(),
        *(text for one in sections for text in (one.title, one.lead) if text),
    }
    assert len(wanted) > 100
    assert not wanted - CHINESE.keys()


def test_a_translation_has_the_same_figures() -> None:
    """And it is Chinese, apart from what has no words."""
    for english, chinese in CHINESE.items():
        assert fields(english) == fields(chinese), english
        assert _HAN.search(chinese) or english in ("ok",), english


def test_the_page_the_card_and_the_terminal(data: ReportData) -> None:
    """The verdict, figures and ids are the same; the page says its language."""
    english = html_report(data), card_svg(data)
    with spoken("zh"):
        page, card = html_report(data), card_svg(data)
        lines = [
            *compact_lines(data.measurement, data.judgement, None, 80),
            *closing_lines(data.judgement, ClosingHints("r/report.html", "", "harness x"), 80),
        ]
        assert (junit_xml(data), markdown(data)) == spoken_english(data)
    assert '<html lang="zh-CN"' in page
    assert '<html lang="en"' in english[0]
    assert "目录" in page
    assert "延迟" in card
    assert any("PASS" in line.plain and "退出码 0" in line.plain for line in lines)
    assert all(cell_len(line.plain) <= 80 for line in lines)
    assert (html_report(data), card_svg(data)) == english


def spoken_english(data: ReportData) -> tuple[str, str]:
    """What programs read, as it is in English."""
    with spoken("en"):
        return junit_xml(data), markdown(data)


@pytest.mark.parametrize(
    ("arguments", "environ", "language"),
    [
        (["run", "smoke"], {}, "en"),
        (["run", "smoke"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["run", "smoke"], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        (["run", "smoke"], {"LANG": "zh_CN.UTF-8", "HARNESS_LANG": "en"}, "en"),
        (["run", "smoke", "--lang", "zh"], {"HARNESS_LANG": "en"}, "zh"),
        (["--lang=zh", "run", "smoke"], {}, "zh"),
    ],
)
def test_which_language(arguments: list[str], environ: dict[str, str], language: str) -> None:
    """The option, then the variable, then the locale."""
    assert language_of(arguments, environ) == (language, ["run", "smoke"])


def test_what_is_no_language() -> None:
    """A wrong word, or none, is an error; the language stays."""
    with pytest.raises(UsageError):
        choose("fr")
    with pytest.raises(UsageError):
        language_of(["run", "--lang"], {})
    assert language_of(["x", "--", "--lang", "zh"], {}) == ("en", ["x", "--", "--lang", "zh"])
    assert is_english()
    assert tr("no such text {x}", x=1) == "no such text 1"
