"""A result as HTML for a notebook."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup, escape

from harness.judge.check import Check, CheckKind
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict
from harness.report.compact import brief

_COLOURS = {
    Verdict.PASS: "#1a7f37",
    Verdict.FAIL: "#cf222e",
    Verdict.INVALID: "#8250df",
    Verdict.INCONCLUSIVE: "#7d4e00",
}


def result_html(judgement: Judgement, sentence: str, report: Path) -> str:
    """Verdict, the deciding sentence, objectives and what is not ok, and a link to the report.

    Text from a run stays text: everything is escaped.
    """
    checks = [
        check
        for check in judgement.checks
        if check.kind is CheckKind.OBJECTIVE or not check.status.is_clean
    ]
    rows = Markup("").join(_row(check) for check in checks)
    head = Markup('<p><b style="color:{}">{}</b> {}</p>').format(
        _COLOURS[judgement.verdict], judgement.verdict.name, sentence
    )
    link = Markup('<p><a href="{}">report</a></p>').format(report.absolute().as_uri())
    return head + Markup("<table><tbody>{}</tbody></table>").format(rows) + link


def _row(check: Check) -> Markup:
    colour = _COLOURS[check.status.verdict]
    return Markup('<tr><td style="color:{}">{}</td><td>{}</td><td>{}</td></tr>').format(
        colour, check.status.name, escape(check.name), escape(brief(check))
    )
