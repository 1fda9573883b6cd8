"""Columns of equal length, which numpy, pandas, polars and pyarrow take as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray
from pydantic import BaseModel

from harness.errors import UsageError

ROWS_SHOWN = 10
_NUMBER = int | float


class Table(dict[str, NDArray[Any]]):
    """A column for each name: `pandas.DataFrame(table)`, `polars.DataFrame(table)`.

    Numbers that may be unknown are float64 with NaN. Whole nanoseconds after the start of the load
    are exact in them: a float64 has 53 bits, which is 104 days.
    """

    @classmethod
    def of_models(cls, values: Sequence[BaseModel], kind: type[BaseModel]) -> Table:
        """A row for each value and a column for each field; None becomes NaN in a number."""
        names = kind.model_fields
        return cls((name, _column([getattr(one, name) for one in values])) for name in names)

    @classmethod
    def of_rows(cls, names: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
        """A table of rows; an empty text is an unknown number."""
        columns = list(zip(*rows, strict=True)) or [() for _ in names]
        return cls(
            (name, _column([None if value == "" else value for value in column]))
            for name, column in zip(names, columns, strict=True)
        )

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.values()), ()))

    def write_parquet(self, path: str | Path) -> Path:
        """Write a Parquet file; needs `pip install 'signal-harness[parquet]'`.

        Raises:
            UsageError: pyarrow is not installed.
        """
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise UsageError(
                "pyarrow is not installed", hint="pip install 'signal-harness[parquet]'"
            ) from error
        pyarrow.parquet.write_table(pyarrow.table(dict(self)), path)
        return Path(path)

    def _repr_html_(self) -> str:
        """The first rows, for a notebook."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self)
        shown = zip(*(column[:ROWS_SHOWN].tolist() for column in self.values()), strict=True)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row)}</tr>" for row in shown
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{min(self.rows, ROWS_SHOWN)} of {self.rows:,} rows</p>"
        )


def _column(values: Sequence[object]) -> NDArray[Any]:
    """Numbers as int64, or as float64 where one is unknown; everything else as text."""
    if values and all(isinstance(one, int) for one in values):
        return np.array(values, dtype=np.int64)
    if all(one is None or isinstance(one, _NUMBER) for one in values):
        return np.array([np.nan if one is None else one for one in values], dtype=np.float64)
    return np.array(["" if one is None else str(one) for one in values])
