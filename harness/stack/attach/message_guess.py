"""The codec that the newest entry of a stream suggests; pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.stack.attach.name_hints import (
    ADDRESS,
    AGENT,
    AMOUNT,
    BLOCK,
    CHAIN_ID,
    STRATEGY,
    TIME,
    TRACE,
    first_match,
)

_DEPTH_MAX = 8
_PLACEHOLDERS: tuple[tuple[Sequence[str], str], ...] = (
    (TRACE, "trace_id"),
    (ADDRESS, "address"),
    (AMOUNT, "amount_in"),
    (BLOCK, "last_sync_block"),
    (TIME, "timestamp_ms"),
    (STRATEGY, "strategy_id"),
    (AGENT, "agent_id"),
    (CHAIN_ID, "chain_id"),
    (("capital",), "capital"),
    (("staged",), "staged"),
    (("max_slippage_bps", "slippage_bps", "slippage"), "max_slippage_bps"),
)
# Values that are no text unless they are asked for as one.
_NO_TEXTS = frozenset({"last_sync_block", "timestamp_ms", "chain_id", "staged", "max_slippage_bps"})
# A text of an entry is repeated in the contract only if it can hardly be a secret or a person.
_LITERAL = re.compile(r"[A-Za-z0-9_.-]{1,24}")
_SECRET_KEY = re.compile(r"(?i)pass|secret|token|sign|auth|key|cookie")
_NAME_MAX = 200


@dataclass(frozen=True, slots=True)
class MessageGuess:
    """How signals are probably written.

    Attributes:
        codec: the table `[codec]`; None where it cannot be seen.
        field: of the stream entry, which holds the message; None where each value has its own.
        unknown: places whose meaning is not known, so that they are repeated or left empty.
    """

    codec: Mapping[str, Any] | None
    field: str | None = None
    unknown: tuple[str, ...] = ()


def guess_message(entry: Mapping[str, bytes]) -> MessageGuess:
    """The codec of an entry of signals, with a placeholder wherever a name is known.

    A Protobuf message cannot be seen in its bytes, so nothing is guessed of it.
    """
    if len(entry) == 1:
        ((name, data),) = entry.items()
        document = _object_in(data)
        if document is None or not _is_name(name):
            return MessageGuess(None, name if _is_name(name) else None)
        filled, unknown = _fill(document)
        codec = {"kind": "json", "document": filled}
        return MessageGuess(codec if _has_trace(filled) else None, name, unknown)
    texts = {name: text for name, data in entry.items() if (text := _text(data)) is not None}
    if len(texts) < len(entry) or not all(map(_is_name, texts)):
        return MessageGuess(None)
    filled, unknown = _fill(texts)
    codec = {"kind": "fields", "fields": filled}
    return MessageGuess(codec if _has_trace(filled) else None, None, unknown)


def guess_block(entry: Mapping[str, bytes]) -> Mapping[str, str] | None:
    """Keys of `[chain]` for an entry of chain events; None where no block is found."""
    whole = {name: _text(data) or "" for name, data in entry.items()}
    numbers = [
        name
        for name, text in whole.items()
        if text.isascii() and text.isdecimal() and _is_name(name)
    ]
    block = first_match(numbers, BLOCK) or (numbers[0] if len(entry) == len(numbers) == 1 else None)
    if block is not None:
        return {"kind": "fields", "block": block}
    for name, data in entry.items():
        document = (_object_in(data) if _is_name(name) else None) or {}
        paths = {path for path, value in _leaves(document) if type(value) is int and _is_name(path)}
        by_last = {path.rpartition(".")[2]: path for path in sorted(paths, reverse=True)}
        if key := first_match(by_last, BLOCK):
            return {"kind": "json", "field": name, "block": by_last[key]}
    return None


def _fill(document: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A template of a document, and the places in it that nothing is known of."""
    leaves = _leaves(document)
    last = {
        path: path.rpartition(".")[2]
        for path, value in leaves
        if value is not None and not isinstance(value, list)
    }
    given: dict[str, str] = {}
    for words, placeholder in _PLACEHOLDERS:
        free = {name: path for path, name in reversed(last.items()) if path not in given}
        if key := first_match(free, words):
            given[free[key]] = placeholder
    unknown = tuple(path for path, _ in leaves if path not in given)

    def value_at(path: str, value: Any) -> Any:
        if path in given:
            return _placeholder(given[path], value)
        return _literal(path, value)

    return _mapped(document, value_at, ""), unknown


def _placeholder(name: str, value: Any) -> str:
    if name == "timestamp_ms" and isinstance(value, str) and not value.isdecimal():
        name = "timestamp_iso"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    form = ":number" if is_number and name in ("amount_in", "capital") else ""
    if isinstance(value, str) and name in _NO_TEXTS:
        form = ":text"
    return f"{{{name}{form}}}"


def _literal(path: str, value: Any) -> Any:
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    is_plain = isinstance(value, str) and _LITERAL.fullmatch(value)
    return value if is_plain and not _SECRET_KEY.search(path) else ""


def _leaves(document: Mapping[str, Any], path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in document.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            found += _leaves(value, place)
        else:
            found.append((place, value))
    return found


def _mapped(
    document: Mapping[str, Any], at: Callable[[str, Any], Any], path: str
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in document.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            made[key] = _mapped(value, at, place)
        elif not isinstance(value, list) and value is not None:  # TOML has no null
            made[key] = at(place, value)
    return made


def _has_trace(document: Mapping[str, Any]) -> bool:
    return any(value == "{trace_id}" for _, value in _leaves(document))


def _object_in(data: bytes) -> dict[str, Any] | None:
    """The JSON object that bytes hold, if it can be written in TOML."""
    try:
        found = json.loads(data, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()  # halves of surrogate pairs are no UTF-8
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _is_shallow(found, _DEPTH_MAX) else None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _is_shallow(document: Mapping[str, Any], most: int) -> bool:
    inner = (value for value in document.values() if isinstance(value, dict))
    return most > 0 and all(_is_shallow(one, most - 1) for one in inner)


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _NAME_MAX and "\ufffd" not in text
