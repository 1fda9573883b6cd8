"""Format of trace ids in a column of the system: type, prefix, case and hyphens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.contract import trace_id as ids
from harness.contract.frozen import Frozen, Name

TraceType = Literal["uuid", "text"]


class TraceColumn(Frozen):
    """The column that holds the trace id.

    Attributes:
        trace_id: its name.
        trace_type: its type.
        trace_prefix: prefix of the id; for text only, like case and hyphens.
        trace_case: case of its hex digits.
        trace_hyphens: whether they are in groups with hyphens between them.
    """

    trace_id: Name = "trace_id"
    trace_type: TraceType = "uuid"
    trace_prefix: Annotated[str, Field(max_length=100)] = ""
    trace_case: Literal["lower", "upper"] = "lower"
    trace_hyphens: bool = True

    @model_validator(mode="after")
    def _uuid_has_one_form(self) -> TraceColumn:
        plain = self.trace_prefix == "" and self.trace_case == "lower" and self.trace_hyphens
        if self.trace_type == "uuid" and not plain:
            raise ValueError(
                "trace_prefix, trace_case and trace_hyphens need trace_type = 'text':"
                " a uuid is written in one form only"
            )
        return self

    def format_id(self, trace: str) -> str:
        """A canonical trace id in the column's format, which keeps the order of ids."""
        digits = trace if self.trace_hyphens else trace.replace("-", "")
        return self.trace_prefix + (digits.upper() if self.trace_case == "upper" else digits)

    def read(self, text: str) -> tuple[int, int] | None:
        """High and low 64 bits of the id in a column's text; None for another format."""
        try:
            found = ids.parse(text.removeprefix(self.trace_prefix).lower())
        except ValueError:
            return None
        return found if self.format_id(ids.text(*found)) == text else None

    def run_range(self, run_tag: int) -> tuple[str, str]:
        """The lowest and the highest id of a run, both inclusive, in the column's format."""
        low, high = ids.run_range(run_tag)
        return self.format_id(low), self.format_id(high)
