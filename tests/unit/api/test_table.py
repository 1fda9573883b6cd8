"""Tables: columns of one kind each."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from harness import Table, UsageError


def test_columns_have_one_kind() -> None:
    """Whole numbers, numbers that may be unknown, text."""
    table = Table.of_rows(("n", "x", "name"), [(1, 2, "a"), (2, "", "<b>")])
    assert [column.dtype.kind for column in table.values()] == ["i", "f", "U"]
    assert np.isnan(table["x"][1])
    assert table.rows == 2
    assert "<td>&lt;b&gt;</td>" in table._repr_html_()
    assert "2 of 2 rows" in table._repr_html_()


def test_no_row() -> None:
    """The columns are there all the same."""
    table = Table.of_rows(("n", "name"), [])
    assert (table.rows, [*table]) == (0, ["n", "name"])
    assert Table().rows == 0
    assert "0 of 0 rows" in table._repr_html_()


def test_parquet_names_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow an error with the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"signal-harness\[parquet\]"):
        Table().write_parquet(tmp_path / "signals.parquet")


def test_parquet_is_read_back(tmp_path: Path) -> None:
    """Where pyarrow is installed."""
    pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = Table.of_rows(("n", "x", "name"), [(1, 2.5, "a"), (2, "", "b")])
    path = table.write_parquet(tmp_path / "table.parquet")
    assert pyarrow.parquet.read_table(path).column("name").to_pylist() == ["a", "b"]
