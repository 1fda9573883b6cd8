"""The page: every section in its order, and the template that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import harness
from harness.errors import EvidenceError
from harness.evidence.run_folder import scenario_text
from harness.judge.verdict import Verdict
from harness.printable import printable
from harness.report.data import ReportData
from harness.report.html.account import account_view
from harness.report.html.checks import group_checks
from harness.report.html.components import Chart, MissingChart, Part, Section, Table
from harness.report.html.facts import facts_table
from harness.report.html.heatmap import heat_figure
from harness.report.html.interim import interim_figure
from harness.report.html.load import lateness_figure, rate_figure
from harness.report.html.palette import DARK, LIGHT, css_variables
from harness.report.html.percentiles import percentile_figure
from harness.report.html.plotly import plotly_packed, script_source
from harness.report.html.resources import further_parts, resource_parts, unread_table
from harness.report.html.run_timeline import RunTimeline, gate_tables, outside_table, timeline_of
from harness.report.html.stages import stage_notes, stage_parts
from harness.report.html.summary import build_summary

_AFTER = (
    ("diagnosis", "Diagnosis"),
    ("checks", "All checks"),
    ("environment", "Environment"),
    ("reproduce", "Do it again"),
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
    sections = [section for section in _sections(data, timeline) if _is_filled(section)]
    script, plotly = _source("report.js"), plotly_packed()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            top=build_summary(data),
            data_headline=data.diagnosis.headline if data.diagnosis else None,
            contents=[
                *({"key": section.key, "title": section.title} for section in sections),
                *({"key": key, "title": title} for key, title in _AFTER),
            ],
            sections=sections,
            diagnosis=data.diagnosis,
            folder=data.folder.path,
            no_diagnosis=_no_diagnosis(data),
            checks=list(group_checks(data.judgement)),
            environment=[
                facts_table("Host, versions and commit", data.environment),
                facts_table("What ran as the system under test", _without_reasons(data.stack)),
            ],
            missing_evidence=data.missing_evidence,
            rejudged_reason=data.rejudged_reason,
            reproduce=_steps(data),
            scenario_text=scenario_text(data.scenario),
            version=harness.__version__,
            drawings=[figure.drawing for figure in _figures(sections)],
            palettes={"light": dict(LIGHT), "dark": dict(DARK)},
            plotly=plotly,
            policy=_policy(script_source(script), plotly.source),
            script=Markup(script),  # noqa: S704 - our own file
            style=Markup(_style()),  # noqa: S704 - our own file
        )
    )


def _sections(data: ReportData, timeline: RunTimeline) -> Iterator[Section]:
    measurement, scenario = data.measurement, data.scenario
    objectives = scenario.parsed_objectives()
    interim = interim_figure(data.judgement, objectives)
    yield Section(
        "latency",
        "Latency",
        "From the moment a signal was due until its FSM row was seen SIMULATED: the promise.",
        (
            percentile_figure(measurement, data.judgement, objectives),
            *(() if interim is None else (interim,)),
        ),
    )
    yield Section(
        "time",
        "Over time",
        "Every figure over time has the same time axis. Shaded: the warm-up, which is not judged,"
        " and the effects of faults. Numbered lines: events, listed below.",
        (*_heats(data, timeline), *_event_tables(data, timeline)),
    )
    yield Section(
        "where",
        "Where the time went",
        "The way of a signal, cut into stages that add up to its latency.",
        tuple(stage_parts(measurement)),
        notes=tuple(stage_notes(measurement)),
    )
    yield Section(
        "load",
        "The load",
        "A latency is worth what the load was: sent as planned, and on time.",
        (rate_figure(measurement, timeline), lateness_figure(measurement, scenario, timeline)),
    )
    yield Section(
        "signals",
        "Account of signals",
        "Every signal ends in exactly one class; one that never arrived is in the latency too.",
        account=account_view(measurement),
    )
    unread = unread_table(data.telemetry)
    yield Section(
        "resources",
        "Resources",
        "What the system had to work with, second by second, each held against its limit.",
        tuple(resource_parts(data.telemetry, timeline)),
        further=tuple(
            chain(further_parts(data.telemetry, timeline), () if unread is None else (unread,))
        ),
        further_title="More telemetry",
    )


def _heats(data: ReportData, timeline: RunTimeline) -> Iterator[Chart | MissingChart]:
    objectives = data.scenario.parsed_objectives()
    modes = list(dict.fromkeys(log.mode for log in data.latency))
    found = False
    for mode in modes:
        intervals = (i for log in data.latency if log.mode == mode for i in log.intervals())
        try:
            heat = heat_figure(mode, intervals, objectives, timeline)
        except EvidenceError as error:
            found = True
            yield MissingChart(f"heat-{mode}", f"Latency over time ({mode})", str(error))
            continue
        if heat is not None:
            found = True
            yield heat
    if not found:
        yield MissingChart("heat", "When were signals slow?", "the run kept no latency over time")


def _event_tables(data: ReportData, timeline: RunTimeline) -> Iterator[Table]:
    if timeline.annotations:
        yield timeline.table()
    outside = outside_table(data.measurement)
    if outside is not None:
        yield outside
    yield from gate_tables(data.measurement)


def _is_filled(section: Section) -> bool:
    return bool(section.parts or section.account or section.further)


def _without_reasons(stack: Mapping[str, Any]) -> dict[str, Any]:
    """The stack without what keeps it from a sign-off, which stands with the grade."""
    return {name: value for name, value in stack.items() if name != "grade_reasons"}


def _figures(sections: list[Section]) -> Iterator[Chart]:
    parts: Iterator[Part] = chain.from_iterable((*s.parts, *s.further) for s in sections)
    for part in parts:
        if isinstance(part, Chart):
            yield part


def _no_diagnosis(data: ReportData) -> str:
    if data.judgement.verdict is Verdict.PASS:
        return "P99 stayed under 80 % of every objective, and nobody asked"
    return "nobody asked, or it was not kept"


def _steps(data: ReportData) -> list[dict[str, str]]:
    return [
        {"title": f"The same question (seed {data.plan.seed})", "command": data.command},
        {
            "title": "The same evidence, judged again",
            "command": f"harness judge {data.folder.path}",
        },
        {
            "title": "This page, from the same evidence",
            "command": f"harness report {data.folder.path} --html",
        },
    ]


def _policy(*scripts: str) -> str:
    """Nothing may be loaded, and only these scripts run; Plotly needs styles and data images."""
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


def _source(name: str) -> str:
    loader = _environment().loader
    if loader is None:
        raise ValueError("the templates have no loader")
    return loader.get_source(_environment(), name)[0]


def _shown(value: object) -> object:
    """A text from outside as it can be shown; what is our own markup stays."""
    return printable(value) if type(value) is str else value


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
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment
