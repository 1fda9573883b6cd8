"""Where the time went: the stages of a signal's way, by their share and by their spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.measure.measurement import Measurement, SplitFigures, StageFigures
from harness.report.html.axes import log_durations
from harness.report.html.parts import Figure, Missing, Table
from harness.report.html.words import duration, ms, share_text

KEY = "stages"
TITLE = "Which part of the way took the time?"
_ROW_PX = 46


def stage_parts(measurement: Measurement) -> list[Figure | Missing]:
    """For each mode the shares of the mean, and how far each stage spreads.

    The same figure of another mode has the same axis, so that bars of one length are one time.
    """
    splits = [split for split in measurement.splits if split.phase == "measure" and split.count]
    if not splits:
        return [Missing(KEY, TITLE, "no measured signal has times for its stages")]
    parts: list[Figure | Missing] = []
    for split in splits:
        parts += [_shares(split, splits), _spread(split, splits)]
    return parts


def _names(split: SplitFigures) -> list[str]:
    return [f"{stage.start} → {stage.end}" for stage in split.stages]


def _wrapped(split: SplitFigures) -> list[str]:
    """In two lines, so that names leave room for the bars on a small screen."""
    return [f"{stage.start}<br>→ {stage.end}" for stage in split.stages]


def _share(stage: StageFigures, split: SplitFigures) -> float:
    return stage.sum_ns / split.total_sum_ns if split.total_sum_ns else 0.0


def _shares(split: SplitFigures, splits: Sequence[SplitFigures]) -> Figure:
    shares = [_share(stage, split) for stage in split.stages]
    most = max(range(len(shares)), key=shares.__getitem__)
    stage = split.stages[most]
    means = [one.sum_ns / split.count for one in split.stages]
    drawn = [one.sum_ns / own.count for own in splits for one in own.stages]
    return Figure(
        key=f"{KEY}-share-{split.mode}",
        title=TITLE + (f" ({split.mode})" if len(splits) > 1 else ""),
        shows="Mean time of each stage of a signal's way, from being due at the top to being seen"
        " SIMULATED at the bottom; the bars add up to the mean latency.",
        good="Good: the engine's own stage (INIT → SIMULATED) is the longest, and no waiting stage"
        " before it grows beyond it.",
        message=f"Of a mean latency of {duration(split.total_mean_ns)},"
        f" {share_text(shares[most])} went from {stage.start} to {stage.end}.",
        traces=(
            {
                "type": "bar",
                "orientation": "h",
                "y": _wrapped(split),
                "x": [ms(mean) for mean in means],
                "text": [
                    f"{duration(mean)} · {share_text(share)}"
                    for mean, share in zip(means, shares, strict=True)
                ],
                "textposition": "auto",
                "insidetextanchor": "end",
                "insidetextfont": {"color": "@card"},
                "outsidetextfont": {"color": "@ink"},
                "marker": {
                    "color": ["@series1" if n == most else "@series5" for n in range(len(shares))]
                },
                "hovertemplate": "%{y}: %{text}<extra></extra>",
                "cliponaxis": False,
                "showlegend": False,
            },
        ),
        layout={
            "xaxis": {
                "title": {"text": "mean time (ms, linear)"},
                "rangemode": "tozero",
                "range": [min(0.0, 1.05 * (ms(min(drawn)) or 0)), 1.3 * (ms(max(drawn)) or 1)],
            },
            "yaxis": {"autorange": "reversed", "automargin": True, "showgrid": False},
            "bargap": 0.35,
        },
        tables=(_share_table(split),),
        height_px=110 + _ROW_PX * len(shares),
    )


def _spread(split: SplitFigures, splits: Sequence[SplitFigures]) -> Figure:
    stages = _spreading(split)
    drawn = [stage for own in splits for stage in _spreading(own)]
    names = [f"{stage.start}<br>→ {stage.end}" for stage in stages]
    slow = max(stages, key=lambda stage: stage.p99_ns or stage.max_ns, default=None)
    said = "Too few signals for percentiles of the stages."
    if slow is not None:
        said = (
            f"The slowest signals lost most from {slow.start} to {slow.end}: P99"
            f" {duration(slow.p99_ns)}, at most {duration(slow.max_ns)}."
        )
    lows = [stage.p50_ns or 1 for stage in drawn] or [1_000_000]
    highs = [stage.max_ns for stage in drawn] or [1_000_000]
    return Figure(
        key=f"{KEY}-spread-{split.mode}",
        title="Which stage makes slow signals slow?"
        + (f" ({split.mode})" if len(splits) > 1 else ""),
        shows="For each stage the time that half of the signals kept within (P50), 99 in 100"
        " (P99), and the longest.",
        good="Good: the three marks of a stage lie close together. A stage whose P99 lies far to"
        " the right of its P50 holds up a few signals for long: look there first.",
        message=said,
        traces=(
            _range(stages, names),
            *(
                _marks(name, symbol, colour, names, values)
                for name, symbol, colour, values in (
                    ("P50", "circle", "@series1", [stage.p50_ns for stage in stages]),
                    ("P99", "diamond", "@series2", [stage.p99_ns for stage in stages]),
                    ("max", "line-ns-open", "@series5", [stage.max_ns for stage in stages]),
                )
            ),
        ),
        layout={
            "xaxis": log_durations(min(lows), max(highs), "time in the stage (logarithmic)"),
            "yaxis": {"autorange": "reversed", "automargin": True},
            "hovermode": "closest",
        },
        tables=(_spread_table(split),),
        height_px=130 + _ROW_PX * max(1, len(stages)),
    )


def _spreading(split: SplitFigures) -> list[StageFigures]:
    return [stage for stage in split.stages if stage.p50_ns is not None and stage.p50_ns > 0]


def _range(stages: Sequence[StageFigures], names: Sequence[str]) -> dict[str, Any]:
    x: list[float | None] = []
    y: list[str | None] = []
    for stage, name in zip(stages, names, strict=True):
        x += [ms(stage.p50_ns), ms(stage.max_ns), None]
        y += [name, name, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": "@series5", "width": 1.5},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _marks(
    name: str, symbol: str, colour: str, names: Sequence[str], values: Sequence[int | None]
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [ms(value) for value in values],
        "y": list(names),
        "customdata": [duration(value) for value in values],
        "hovertemplate": f"{name} %{{customdata}}<extra></extra>",
        "marker": {
            "color": colour,
            "size": 12,
            "symbol": symbol,
            "line": {"width": 2.5 if symbol.endswith("open") else 0, "color": colour},
        },
    }


def _share_table(split: SplitFigures) -> Table:
    rows = [
        (name, duration(stage.sum_ns / split.count), share_text(_share(stage, split)))
        for name, stage in zip(_names(split), split.stages, strict=True)
    ]
    rows.append(("all stages", duration(split.total_mean_ns), "100 %"))
    caption = f"Mean time of {split.count:,} {split.mode} signals by stage"
    return Table.of(caption, ("stage", "mean", "share"), rows)


def _spread_table(split: SplitFigures) -> Table:
    rows = [
        (name, duration(stage.p50_ns), duration(stage.p99_ns), duration(stage.max_ns))
        for name, stage in zip(_names(split), split.stages, strict=True)
    ]
    caption = f"Percentiles of {split.count:,} {split.mode} signals by stage"
    return Table.of(caption, ("stage", "P50", "P99", "max"), rows)


def stage_notes(measurement: Measurement) -> list[str]:
    """What must be known beside the figures."""
    notes = [n for split in measurement.splits if split.phase == "measure" for n in split.notes]
    return list(dict.fromkeys(notes))
