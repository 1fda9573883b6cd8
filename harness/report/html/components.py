"""What a section of the page is made of: figures, tables and remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.html.downsampling import downsample

# A table is there to be read; what has more rows is told in fewer.
ROWS_MAX = 120


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        caption: what it lists, in a few words.
        heads: of the columns.
        rows: as many cells each; a cell that begins a row names it.
        numbers: whether all columns but the first hold figures; those align to the right.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: bool = True

    @classmethod
    def of(
        cls, caption: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], **more: bool
    ) -> Table:
        """A table of so many rows at most; of more, some at equal distances are shown."""
        kept = downsample(rows, ROWS_MAX)
        if len(kept) < len(rows):
            caption += f" ({len(kept)} of {len(rows)} rows)"
        return cls(caption, heads, tuple(kept), **more)


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture that explains itself.

    Attributes:
        key: its place in the page; letters, digits and dashes.
        shows: one sentence on what is drawn.
        good: one sentence on what a good run looks like.
        message: what this one says, in words; what a screen reader reads instead.
        traces, layout: as Plotly takes them; a colour is `@` and a name of the palette.
        height_px: of the drawing.
        tables: the same figures to be read.
        on_time: whether its x axis is the run's time, which all such figures share.
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
        """What the page needs to draw it."""
        return {
            "key": self.key,
            "data": list(self.traces),
            "layout": dict(self.layout),
            "height": self.height_px,
            "onTime": self.on_time,
        }


@dataclass(frozen=True, slots=True)
class MissingChart:
    """A figure that cannot be drawn, and why."""

    key: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class AccountView:
    """What the page shows of the account of signals.

    Attributes:
        message: the outcome in a sentence.
        bar: share (0 to 100), key and name of each class that has signals, for the strip.
    """

    message: str
    bar: tuple[tuple[float, str, str], ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


Part = Chart | MissingChart | Table


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the page under one heading.

    Attributes:
        lead: what the section answers, in a sentence.
        parts: always to be seen.
        notes: what must be known beside them.
        account: of the section on signals.
        further: to be opened by who wants more.
    """

    key: str
    title: str
    lead: str
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    account: AccountView | None = None
    further: tuple[Part, ...] = ()
    further_title: str = ""
