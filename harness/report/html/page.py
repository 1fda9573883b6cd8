"""The page: its sections in order, the template that holds them, and its scripts."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from plotly.offline import get_plotlyjs

import harness
from harness.language import chosen, tr
from harness.printable import printable
from harness.report.data import ReportData
from harness.report.html.account import account_section
from harness.report.html.checks import checks_section
from harness.report.html.components import Section
from harness.report.html.diagnosis import diagnosis_section
from harness.report.html.environment import environment_section, reproduction_section
from harness.report.html.heatmap import time_section
from harness.report.html.load import load_section
from harness.report.html.load_stages import load_stages_section
from harness.report.html.palette import DARK, LIGHT, css_variables
from harness.report.html.percentiles import latency_section
from harness.report.html.resources import resources_section
from harness.report.html.run_timeline import RunTimeline, timeline_of
from harness.report.html.stages import breakdown_section
from harness.report.html.summary import Summary, build_summary

# Every section below the verdict, in order.
SECTIONS: tuple[Callable[[ReportData, RunTimeline], Section], ...] = (
    latency_section,
    time_section,
    breakdown_section,
    load_stages_section,
    load_section,
    account_section,
    resources_section,
    diagnosis_section,
    checks_section,
    environment_section,
    reproduction_section,
)


def html_report(data: ReportData) -> str:
    """One file that shows the run and needs no network."""
    timeline = timeline_of(
        data.plan.load,
        data.measurement,
        data.run.events,
        data.plan.t0_ns,
        data.run.observation_end_ns,
    )
    return render_page(
        build_summary(data),
        [section for build in SECTIONS if _is_filled(section := build(data, timeline))],
        subject="run",
        cause=data.diagnosis.headline if data.diagnosis else None,
        rejudged_reason=data.rejudged_reason,
    )


def render_page(
    top: Summary,
    sections: Sequence[Section],
    *,
    subject: str,
    cause: str | None = None,
    rejudged_reason: str | None = None,
) -> str:
    """One page that needs no network.

    Args:
        top: what is above the first section.
        sections: in order.
        subject: what is reported.
        cause: the diagnosis in one sentence; its evidence is in the section `diagnosis`.
        rejudged_reason: why the evidence was judged again; None where it was not.
    """
    own = {"subject": subject, "cause": cause, "rejudged_reason": rejudged_reason}
    return _render("report.html.j2", top, sections, own, ())


def render_history(top: object, sections: Sequence[Section]) -> str:
    """The page of runs over time; it needs no network.

    Args:
        top: for `templates/history.html.j2`, what is above the first section.
        sections: in order.
    """
    script = _source("history.js")
    own = {"filter_script": Markup(script)}  # noqa: S704 - our own file
    return _render("history.html.j2", top, sections, own, (script,))


def _render(
    template: str,
    top: object,
    sections: Sequence[Section],
    own: Mapping[str, object],
    scripts: Sequence[str],
) -> str:
    """A template with what every page has; `scripts` are those besides that of the drawings."""
    script, plotly = _source("report.js"), plotly_packed()
    sources = [script_source(one) for one in (script, *scripts)]
    return (
        _environment()
        .get_template(template)
        .render(
            **own,
            top=top,
            sections=sections,
            version=harness.__version__,
            language=chosen(),
            drawings=[chart.drawing for section in sections for chart in section.charts],
            palettes={"light": dict(LIGHT), "dark": dict(DARK)},
            plotly=plotly,
            policy=_policy(*sources, plotly.source),
            script=Markup(script),  # noqa: S704 - our own file
            style=Markup(_style()),  # noqa: S704 - our own file
        )
    )


def _is_filled(section: Section) -> bool:
    return bool(section.parts or section.further or section.content)


@dataclass(frozen=True, slots=True)
class PackedScript:
    """A script, packed for the page.

    Attributes:
        text: gzip, in base64.
        source: its name in a content security policy: the hash of the unpacked script.
        version: of the library.
    """

    text: str
    source: str
    version: str


def script_source(script: str) -> str:
    """A script's name in a content security policy (CSP Level 3, section 6.7.3.3)."""
    return f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def plotly_packed() -> PackedScript:
    """Plotly's script of the installed package; the same bytes every time."""
    script = get_plotlyjs()
    return PackedScript(
        text=b64encode(gzip.compress(script.encode(), mtime=0)).decode(),
        source=script_source(script),
        version=script[:200].partition("plotly.js v")[2].split()[0],
    )


def _policy(*scripts: str) -> str:
    """Allows these scripts and no request; Plotly needs inline styles and data images."""
    return (
        f"default-src 'none'; script-src {' '.join(scripts)}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _style() -> str:
    light, dark = css_variables(LIGHT), css_variables(DARK)
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"@media print{{:root{{color-scheme:light}}}}\n{_source('report.css')}"
    )


def render_template(name: str, **values: object) -> str:
    """A template of this package with values; text from outside is escaped."""
    return _environment().get_template(name).render(**values)


def _source(name: str) -> str:
    loader = _environment().loader
    if loader is None:
        raise ValueError("the templates have no loader")
    return loader.get_source(_environment(), name)[0]


def _shown(value: object) -> object:
    """A text from outside without control characters; our own markup is unchanged."""
    return printable(value) if type(value) is str else value


@pass_context
def _translated(_: Context, text: str, **values: object) -> str:
    """`tr`; with the context it is no constant, which Jinja would evaluate once for all pages."""
    return tr(text, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.report.html"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["tr"] = _translated
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment
