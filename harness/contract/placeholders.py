"""Templates: a placeholder `{trace_id}` in a contract's document is replaced by a signal's value.

`{name:form}` converts it: `text`, `number` or `bytes`. `{{` and `}}` are literal braces.
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
    """A placeholder for a value.

    Attributes:
        form: empty for the natural type: amounts are decimal text, the memo is bytes.
    """

    name: str
    form: str = ""

    @property
    def is_per_signal(self) -> bool:
        """Whether it may differ from signal to signal."""
        return self.name in PER_SIGNAL_NAMES


TemplatePart = str | Placeholder


def parse_template(text: str) -> tuple[TemplatePart, ...]:
    """A text as literal parts and placeholders, in order; at least one part.

    Raises:
        ValueError: an unmatched brace, or an unknown name or form.
    """
    parts: list[TemplatePart] = []
    for part in _split(text):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part != "":
            parts.append(part)
    return tuple(parts) or ("",)


def _split(text: str) -> Iterator[TemplatePart]:
    at = 0
    for match in _PATTERN.finditer(text):
        yield text[at : match.start()]
        at = match.end()
        if match[0] in ("{{", "}}"):
            yield match[0][0]
        elif match[1] is None:
            raise ValueError(f"unmatched brace in {text!r}; write {{{{ or }}}} for a brace")
        else:
            yield _placeholder(match[1])
    yield text[at:]


def _placeholder(inner: str) -> Placeholder:
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


def placeholder_value(placeholder: Placeholder, signal: Signal) -> Native:
    """The value for a placeholder."""
    plain = _plain(placeholder.name, signal)
    if placeholder.form == "text":
        return as_text(plain)
    if placeholder.form == "number":
        return int(plain)
    if placeholder.form == "bytes" and placeholder.name == "trace_id":
        high, low = parse(str(plain))
        return high.to_bytes(8) + low.to_bytes(8)
    if placeholder.form == "bytes" and not isinstance(plain, bytes):
        return as_text(plain).encode()
    return plain


def as_text(value: Native) -> str:
    """A value within text: bytes in base64, booleans as in JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def iso_time(timestamp_ms: int) -> str:
    """UTC to the millisecond, in ISO 8601."""
    moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{timestamp_ms % 1000:03d}Z"


def _plain(name: str, signal: Signal) -> str | int | bool | bytes:
    if name == "timestamp_iso":
        return iso_time(signal.timestamp_ms)
    value: str | int | bool | bytes = getattr(signal, name)
    return str(value) if name in ("amount_in", "capital") else value
