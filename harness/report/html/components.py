"""Building blocks of the page: sections, charts, tables, and fewer points of long series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

# A longer table is downsampled.
ROWS_MAX = 120

T = TypeVar("T")


def downsample(values: Sequence[T], most: int) -> list[T]:
    """At most `most` of the values at equal distances, with the first and the last."""
    if len(values) <= most:
        return list(values)
    step = (len(values) - 1) / (most - 1)
    return [values[round(number * step)] for number in range(most)]


def downsample_peaks(
    at: Sequence[float], values: Sequence[float], most: int
) -> list[tuple[float, float]]:
    """At most `most` points: the highest of each of as many intervals.

    A series that is compared with an upper limit must not lose its peaks.
    """
    size = len(values)
    if size <= most:
        return list(zip(at, values, strict=True))
    edges = [number * size // most for number in range(most + 1)]
    kept = [max(range(low, high), key=values.__getitem__) for low, high in pairwise(edges)]
    return [(at[number], values[number]) for number in kept]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        caption: what it lists.
        heads: column titles.
        rows: cells; the first cell of a row is its title.
        numbers: whether all columns but the first hold figures, which align to the right.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: bool = True

    @classmethod
    def of(
        cls, caption: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], **more: bool
    ) -> Table:
        """A table of at most ROWS_MAX rows; of more, rows at equal distances are shown."""
        kept = downsample(rows, ROWS_MAX)
        if len(kept) < len(rows):
            caption += f" ({len(kept)} of {len(rows)} rows)"
        return cls(caption, heads, tuple(kept), **more)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its explanation.

    Attributes:
        key: its anchor in the page; letters, digits and dashes.
        shows: one sentence on what is drawn.
        good: one sentence on what a good run looks like.
        message: the result in this run; the text for a screen reader.
        traces, layout: for Plotly; a colour is `@` and a name of the palette.
        height_px: of the drawing.
        tables: the same figures.
        on_time: whether its x axis is the run's time, which all such charts share.
    """

    key: str
    title: str
    shows: str
    good: str
    message: str
    traces: tuple[Mapping[str, Any], ...]
    layout: Mapping[str, Any]
    tables: tuple[Table, ...]
    height_px: int = 340
    on_time: bool = False

    @property
    def drawing(self) -> dict[str, Any]:
        """The data from which the page draws it."""
        return {
            "key": self.key,
            "data": list(self.traces),
            "layout": dict(self.layout),
            "height": self.height_px,
            "onTime": self.on_time,
        }


@dataclass(frozen=True, slots=True)
class MissingChart:
    """A chart that cannot be drawn, and the reason."""

    key: str
    title: str
    why: str


Part = Chart | MissingChart | Table


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under one heading; see `harness.report.html.page.SECTIONS`.

    Attributes:
        key: its anchor in the page.
        lead: one sentence on what the section answers.
        parts: charts and tables that are always visible.
        notes: remarks on them.
        further: charts and tables that the reader can open.
        template: template in `templates/` that draws `content`; empty for a section of parts.
        content: for the template, which reads it as `section.content`.
    """

    key: str
    title: str
    lead: str
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    further: tuple[Part, ...] = ()
    further_title: str = ""
    template: str = ""
    content: object = None

    @property
    def charts(self) -> tuple[Chart, ...]:
        """Its charts."""
        return tuple(part for part in (*self.parts, *self.further) if isinstance(part, Chart))
