"""The latest runs of one question in Markdown: change, blocks, and a Mermaid chart."""

from __future__ import annotations

import re

from harness.clock import NS_PER_MS
from harness.formatting import format_count, format_duration_fixed
from harness.report.markdown import escaped
from harness.report.sparkline import Sparkline, blocks, change_text, metric_name

# What the title of a Mermaid chart may hold without a meaning to its parser.
_NOT_IN_TITLE = re.compile(r"[^\w .,()/=-]+")


def markdown_sparkline(line: Sparkline) -> str:
    """Change, blocks and a Mermaid chart, in Markdown; the verdict is the heading's.

    The heading is not part of it: a job knows its exit code, which is the verdict of a group of
    runs or that no run was possible, and the newest run of a history does not.
    """
    change = change_text(line)
    newest = line.runs[-1]
    missing = f"{newest.verdict}, no figure of {escaped(newest.run_id)} is compared"
    return "\n".join(
        (
            f"**{escaped(change) if change else missing}**",
            "",
            *((f"Trend: {escaped(line.finding)}.", "") if line.finding else ()),
            f"`{blocks(line.runs)}` {escaped(_range_text(line))}",
            "",
            *_mermaid(line),
            "",
        )
    )


def _range_text(line: Sparkline) -> str:
    figures = [run.figure_ns for run in line.runs if run.figure_ns is not None]
    text = f"{format_count(len(line.runs), 'run')} up to {line.runs[-1].run_id}"
    if not figures:
        return text
    return f"{text}, {' to '.join(format_duration_fixed(f(figures)) for f in (min, max))}"


def _mermaid(line: Sparkline) -> list[str]:
    """A chart for GitHub and GitLab; nothing where no run has a figure.

    `xychart-beta` is the name that every version of Mermaid from 10.5 on reads. A run without a
    figure has no bar.
    """
    figures = [run.figure_ns or 0 for run in line.runs]
    if not any(figures):
        return []
    bars = ", ".join(f"{figure / NS_PER_MS:.3f}" for figure in figures)
    name = _NOT_IN_TITLE.sub(" ", metric_name(line.metric)).strip()
    return [
        "```mermaid",
        '%%{init: {"xyChart": {"width": 700, "height": 200}}}%%',
        "xychart-beta",
        f'    title "{name} of {format_count(len(figures), "run")}, newest last"',
        f'    x-axis "run" 1 --> {max(len(figures), 2)}',
        f'    y-axis "ms" 0 --> {max(0.001, max(figures) / NS_PER_MS):.3f}',
        f"    bar [{bars}]",
        "```",
    ]
