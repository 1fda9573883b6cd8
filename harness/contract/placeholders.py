"""Text with holes: `{trace_id}` in a contract's document stands for a value of the signal.

`{name:form}` gives it in another form: `text`, `number` or `bytes`. `{{` and `}}` are braces.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.contract.codec import Signal
from harness.contract.trace_id import parse

Native = str | int | float | bool | bytes

PLACEHOLDER_NAMES = (
    *("trace_id", "agent_id", "strategy_id", "last_sync_block", "timestamp_ms", "timestamp_iso"),
    *("address", "chain_id", "amount_in", "capital", "staged", "max_slippage_bps", "memo"),
)
# The values that differ between two signals of one agent from one address.
PER_SIGNAL_NAMES = frozenset(
    {"trace_id", "last_sync_block", "timestamp_ms", "timestamp_iso", "amount_in"}
)
PLACEHOLDER_FORMS = ("text", "number", "bytes")
_NO_NUMBERS = frozenset({"trace_id", "agent_id", "strategy_id", "timestamp_iso", "address", "memo"})
_PATTERN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place for a value.

    Attributes:
        form: empty for the value as it is: amounts are decimal text, the memo is bytes.
    """

    name: str
    form: str = ""

    @property
    def is_per_signal(self) -> bool:
        """Whether it may differ from signal to signal."""
        return self.name in PER_SIGNAL_NAMES


TemplatePart = str | Placeholder


def parse_template(text: str) -> tuple[TemplatePart, ...]:
    """A text as what stands still and its holes, in order; at least one piece.

    Raises:
        ValueError: a brace is left over, or a hole names no value or no form.
    """
    found: list[TemplatePart] = []
    for piece in _split(text):
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return tuple(found) or ("",)


def _split(text: str) -> Iterator[TemplatePart]:
    at = 0
    for match in _PATTERN.finditer(text):
        yield text[at : match.start()]
        at = match.end()
        if match[0] in ("{{", "}}"):
            yield match[0][0]
        elif match[1] is None:
            raise ValueError(f"a brace is left over in {text!r}; write {{{{ or }}}} for a brace")
        else:
            yield _hole(match[1])
    yield text[at:]


def _hole(inner: str) -> Placeholder:
    name, _, form = inner.partition(":")
    if name not in PLACEHOLDER_NAMES:
        raise ValueError(f"no value {name!r}; there are {', '.join(PLACEHOLDER_NAMES)}")
    if form and form not in PLACEHOLDER_FORMS:
        raise ValueError(
            f"no form {form!r} in {{{inner}}}; there are {', '.join(PLACEHOLDER_FORMS)}"
        )
    if form == "number" and name in _NO_NUMBERS:
        raise ValueError(f"{name} is no number")
    return Placeholder(name, form)


def placeholder_value(hole: Placeholder, signal: Signal) -> Native:
    """The value that belongs into a hole."""
    plain = _plain(hole.name, signal)
    if hole.form == "text":
        return as_text(plain)
    if hole.form == "number":
        return int(plain)
    if hole.form == "bytes" and hole.name == "trace_id":
        high, low = parse(str(plain))
        return high.to_bytes(8) + low.to_bytes(8)
    if hole.form == "bytes" and not isinstance(plain, bytes):
        return as_text(plain).encode()
    return plain


def as_text(value: Native) -> str:
    """A value within text: bytes in base64, truth as JSON writes it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def iso_time(timestamp_ms: int) -> str:
    """UTC, to the millisecond, as ISO 8601 writes it."""
    moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{timestamp_ms % 1000:03d}Z"


def _plain(name: str, signal: Signal) -> str | int | bool | bytes:
    if name == "timestamp_iso":
        return iso_time(signal.timestamp_ms)
    value: str | int | bool | bytes = getattr(signal, name)
    return str(value) if name in ("amount_in", "capital") else value
