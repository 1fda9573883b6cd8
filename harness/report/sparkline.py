"""The latest runs of one question as a small picture, with verdict and change first.

Three forms, because no one of them is shown everywhere: Unicode blocks in a log and in Markdown; a
Mermaid chart in the job summary of GitHub, which removes inline SVG and images in data URIs; an SVG
file for artifacts and web pages. Every bar begins at zero, so that the noise of runs does not
appear as a change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

from harness.formatting import format_count, format_duration_fixed
from harness.printable import one_line
from harness.report.html.palette import DARK, LIGHT, css_variables

RUNS_MAX = 30
BLOCKS = "▁▂▃▄▅▆▇█"
# Instead of a block: no figure, and a figure of which only a lower bound is known.
NO_FIGURE = "·"
CENSORED = "↑"

_WIDTH, _BAR_TOP, _BAR_HEIGHT, _MARGIN = 640, 56, 64, 12
_GAP = 2
_TITLE_CHARACTERS_MAX = 100
# What XML 1.0 cannot hold (section 2.2, production Char); `one_line` escapes all else.
_NOT_IN_XML = re.compile("[\ufffe\uffff]")
_COLOURS = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "inconclusive"}


@dataclass(frozen=True, slots=True)
class SparklineRun:
    """One run of a series.

    Attributes:
        verdict: name of its verdict, or that its result is not verified.
        value_ns: its percentile; the lower bound where `censored`; None without any figure.
        censored: whether only a lower bound of the percentile is known.
        measures: False for a run that is INVALID or not verified: drawn as without a figure, and
            not compared.
    """

    run_id: str
    verdict: str
    value_ns: int | None
    censored: bool = False
    measures: bool = True

    @property
    def figure_ns(self) -> int | None:
        """What is drawn and compared; None without a figure, or for a run that measures nothing."""
        return self.value_ns if self.measures else None


@dataclass(frozen=True, slots=True)
class RunChange:
    """The newest run against those before it.

    Attributes:
        share: value over reference, minus one.
        reference_ns: median of the runs before it.
        runs: how many runs that is.
    """

    share: float
    reference_ns: float
    runs: int


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The latest runs of one question, oldest first; at least one, at most `RUNS_MAX`.

    Attributes:
        metric: the objective whose percentile is drawn, such as `p99 < 500 ms`; empty without one.
        finding: what the trend found in the series, in words; empty where it found nothing.
    """

    scenario: str
    metric: str
    runs: tuple[SparklineRun, ...]
    finding: str = ""

    @property
    def change(self) -> RunChange | None:
        """None where the newest run, or every run before it, has no figure.

        It describes and decides nothing: whether a change is real is the trend's to say.
        """
        *earlier, newest = (run.figure_ns for run in self.runs)
        known = [value for value in earlier if value is not None]
        if newest is None or not known or not (reference_ns := median(known)):
            return None
        return RunChange(newest / reference_ns - 1, reference_ns, len(known))


def sparkline(
    scenario: str, metric: str, runs: Sequence[SparklineRun], finding: str = ""
) -> Sparkline:
    """The newest `RUNS_MAX` of these runs, which are in order of time.

    Raises:
        ValueError: there is no run.
    """
    if not runs:
        raise ValueError("a sparkline needs at least one run")
    return Sparkline(scenario, metric, tuple(runs[-RUNS_MAX:]), finding)


def blocks(runs: Iterable[SparklineRun], largest_ns: int | None = None) -> str:
    """One character for each run: a block in proportion to its figure, from zero to the largest.

    Args:
        runs: in order of time.
        largest_ns: the largest figure, where several lines have one scale.
    """
    shown = tuple(runs)
    if largest_ns is None:
        largest_ns = largest_figure_ns(shown)
    return "".join(_block(run, largest_ns) for run in shown)


def largest_figure_ns(runs: Iterable[SparklineRun]) -> int:
    """The top of the scale; 0 without any figure."""
    return max((run.figure_ns or 0 for run in runs), default=0)


def _block(run: SparklineRun, largest_ns: int) -> str:
    if run.figure_ns is None:
        return NO_FIGURE
    if run.censored:
        return CENSORED
    # Rounded up, in integers: a figure of a fifth of the largest has the second of eight blocks.
    steps = -(-run.figure_ns * len(BLOCKS) // largest_ns) if largest_ns else 1
    return BLOCKS[max(steps, 1) - 1]


def heading(line: Sparkline) -> str:
    """Verdict of the newest run, scenario, and change: one line of plain text."""
    text, change = f"{line.runs[-1].verdict}: {line.scenario}", change_text(line)
    return one_line(f"{text}, {change}" if change else text)


def change_text(line: Sparkline) -> str:
    """The newest figure and its change against the runs before it; empty without a figure."""
    newest = line.runs[-1]
    if newest.figure_ns is None:
        return ""
    bound = "above " if newest.censored else ""
    text = f"{metric_name(line.metric)} {bound}{format_duration_fixed(newest.figure_ns)}"
    if (change := line.change) is None:
        return text
    return (
        f"{text}, {100 * change.share:+.1f} % against {format_duration_fixed(change.reference_ns)},"
        f" the median of {format_count(change.runs, 'earlier run')}"
    )


def svg_sparkline(line: Sparkline) -> str:
    """A drawing of its own file, in light and dark colours, without script or reference.

    Colour is not all that tells runs apart: each bar has a title with its verdict, a failed run has
    a dot above it, and a run of which only a lower bound is known has a triangle.
    """
    title, change = (
        _xml_text(text[:_TITLE_CHARACTERS_MAX])
        for text in (f"{line.runs[-1].verdict}: {line.scenario}", change_text(line))
    )
    height = _BAR_TOP + _BAR_HEIGHT + _MARGIN
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
            f' width="{_WIDTH}" height="{height}" role="img" aria-labelledby="t">',
            f'<title id="t">{_xml_text(heading(line))}</title>',
            f"<style>svg{{{css_variables(LIGHT)}font:13px sans-serif}}"
            f"@media(prefers-color-scheme:dark){{svg{{{css_variables(DARK)}}}}}</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="var(--card)"/>',
            f'<text x="{_MARGIN}" y="22" font-weight="bold" fill="var(--ink)">{title}</text>',
            f'<text x="{_MARGIN}" y="40" fill="var(--ink)">{change}</text>',
            *_bars(line.runs),
            "</svg>\n",
        )
    )


def _bars(runs: Sequence[SparklineRun]) -> list[str]:
    largest = largest_figure_ns(runs) or 1
    # A series of few runs has bars no wider than those of a third of the longest.
    pitch = (_WIDTH - 2 * _MARGIN) / max(len(runs), RUNS_MAX // 3)
    return [_bar(run, _MARGIN + pitch * place, pitch, largest) for place, run in enumerate(runs)]


def _bar(run: SparklineRun, left: float, pitch: float, largest_ns: int) -> str:
    floor = _BAR_TOP + _BAR_HEIGHT
    high = max(1.0, _BAR_HEIGHT * (run.figure_ns or 0) / largest_ns)
    colour = _COLOURS.get(run.verdict, "invalid")
    middle, top = left + (pitch - _GAP) / 2, floor - high
    mark = ""
    if run.censored and run.measures:
        mark = f'<path d="M{middle - 4:.1f} {top - 2:.1f}h8l-4 -6z"/>'
    elif run.verdict == "FAIL":
        mark = f'<circle cx="{middle:.1f}" cy="{top - 5:.1f}" r="3"/>'
    text = f"{run.run_id}: {run.verdict}, {format_duration_fixed(run.figure_ns)}"
    return (
        f'<g fill="var(--{colour})"><title>{_xml_text(text)}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{pitch - _GAP:.1f}" height="{high:.1f}"/>'
        f"{mark}</g>"
    )


def _xml_text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("?", one_line(text)))


def metric_name(metric: str) -> str:
    """`p99 over 5 s` of `p99 over 5 s < 1 s`."""
    return metric.partition(" <")[0] or "percentile"
