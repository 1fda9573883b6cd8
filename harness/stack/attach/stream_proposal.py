"""Streams, codec and chain of a proposed contract, from what was found in Redis; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.stack.attach.contract_sections import NAME_MAX, Entry, Section
from harness.stack.attach.discovery import FoundStream
from harness.stack.attach.message_guess import MessageGuess, guess_block, guess_message
from harness.stack.attach.name_hints import CHAIN_STREAM, INTAKE_STREAM, RESULT_STREAM, score

_PREFIXES = ("dev:", "staging:", "prod:")


def stream_sections(
    streams: Sequence[FoundStream] | None,
) -> tuple[Section, ...]:
    """The tables of a contract that are about Redis.

    Args:
        streams: of Redis; None where it was not read.
    """
    usable = [one for one in streams or () if 0 < len(one.key) <= NAME_MAX]
    intake = _best_stream(usable, INTAKE_STREAM, (*CHAIN_STREAM, *RESULT_STREAM))
    chain = _best_stream([one for one in usable if one is not intake], CHAIN_STREAM, ())
    keys = [one.key for one in (intake, chain) if one is not None]
    prefix = next((one for one in _PREFIXES if all(_has_prefix(key, one) for key in keys)), "")
    if not keys:
        prefix = "" if usable else "dev:"
    message = guess_message(intake.newest) if intake else MessageGuess(None)
    entries = (
        _intake_entry(intake, prefix),
        *_field_entries(message),
        _group_entry(intake),
        _chain_entry(chain, prefix, is_known=streams is not None),
        *_settings(intake),
    )
    sections = [Section("streams", entries), *_codec_sections(message)]
    if chain is not None and (feed := guess_block(chain.newest)) is not None:
        lines = (Entry(key, value, is_guess=key == "block") for key, value in feed.items())
        sections.append(Section("chain", tuple(lines)))
    top = Entry("prefix", prefix, "stands before the key of every stream")
    return (Section("", (top,)), *sections)


def _has_prefix(key: str, prefix: str) -> bool:
    return key.startswith(prefix) and key != prefix


def _best_stream(
    streams: Sequence[FoundStream], words: Sequence[str], others: Sequence[str]
) -> FoundStream | None:
    def points(stream: FoundStream) -> int:
        own = score(stream.key, words)
        return max(0, 10 * own + 5 * bool(stream.groups) - 20 * score(stream.key, others))

    best = max(streams, key=points, default=None)
    return best if best is not None and points(best) > 0 else None


def _intake_entry(intake: FoundStream | None, prefix: str) -> Entry:
    if intake is None:
        note = "no stream of signals was found; reference name"
        return Entry("proposals", "stream:agent:proposals", note, is_guess=True)
    return Entry("proposals", intake.key.removeprefix(prefix), "signals go here", is_guess=True)


def _field_entries(message: MessageGuess) -> Iterator[Entry]:
    if message.field is not None:
        yield Entry("field", message.field, "holds the message")


def _group_entry(intake: FoundStream | None) -> Entry:
    if intake is None:
        return Entry("engine_group", "cg:engine", "reference name", is_guess=True)
    groups = [one for one in intake.groups if 0 < len(one) <= NAME_MAX]
    if not groups:
        return Entry("engine_group", False, "no consumer group was found", is_guess=True)
    others = f"; others: {', '.join(groups[1:])}" if groups[1:] else ""
    note = f"the system reads with it{others}"
    return Entry("engine_group", groups[0], note, is_guess=bool(others))


def _settings(intake: FoundStream | None) -> Iterator[Entry]:
    if intake is not None:
        yield Entry("accounting", False, "stream of bookings, if there is one")
        yield Entry("proposals_maxlen", False, "a length, if your agents trim the stream")


def _chain_entry(chain: FoundStream | None, prefix: str, *, is_known: bool) -> Entry:
    if chain is not None:
        note = "the newest block is published here"
        return Entry("chain_events", chain.key.removeprefix(prefix), note, is_guess=True)
    if is_known:
        note = "no stream of blocks was found; signals carry chain.fixed_block"
        return Entry("chain_events", False, note, is_guess=True)
    return Entry("chain_events", "stream:chain:events", "reference name", is_guess=True)


def _codec_sections(message: MessageGuess) -> Iterator[Section]:
    if message.codec is None:
        note = "trade_request, json, fields or protobuf: no entry shows it"
        yield Section("codec", (Entry("kind", "trade_request", note, is_guess=True),))
        return
    kind = str(message.codec["kind"])
    part = "document" if kind == "json" else "fields"
    yield Section("codec", (Entry("kind", kind, "as in the newest entry"),))
    content: Mapping[str, Any] = message.codec[part]
    yield Section(
        f"codec.{part}",
        tuple(
            Entry(key, value, is_guess=any(_begins(place, key) for place in message.unknown))
            for key, value in content.items()
        ),
    )


def _begins(place: str, key: str) -> bool:
    return place == key or place.startswith(f"{key}.")
