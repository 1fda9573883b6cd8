"""Signals in the codecs of other systems have the values of ours."""

from __future__ import annotations

import json
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.address import HOT_ADDRESS
from harness.contract.codec import encode_signal
from harness.contract.descriptors import message_class
from harness.contract.names import Contract
from harness.contract.placeholders import iso_time
from harness.scenario.models import Signals
from harness.schedule.encoders import AgentIdentity, make_encoder
from harness.schedule.trade_request_template import varint
from tests.unit.load.foreign_messages import descriptor_set, descriptor_text

JSON: dict[str, Any] = {
    "kind": "json",
    "document": {
        "v": 1,
        "ref": "{trace_id}",
        "order": {"qty": "{amount_in}", "units": "{amount_in:number}", "dry": "{staged}"},
        "who": ["{agent_id}", {"wallet": "{address}", "chain": "{chain_id}"}],
        "at": "{timestamp_ms}",
        "when": "{timestamp_iso}",
        "head": "{last_sync_block}",
        "label": 'x"{{{strategy_id}}}-{last_sync_block}-{trace_id}',
        "note": "{memo}",
        "nothing": None,
    },
}
FIELDS: dict[str, Any] = {
    "kind": "fields",
    "fields": {
        "kind": "order",
        "ref": "{trace_id}",
        "qty": "{amount_in}",
        "wallet": "{address}",
        "head": "b{last_sync_block}",
        "at": "{timestamp_ms}",
        "when": "{timestamp_iso}",
        "dry": "{staged}",
        "note": "{memo:bytes}",
        "fee": 7,
    },
}
PROTOBUF: dict[str, Any] = {
    "kind": "protobuf",
    "descriptors": descriptor_text(),
    "message": "desk.v1.Order",
    "values": {
        "head.ref": "{trace_id}",
        "head.raw": "{trace_id:bytes}",
        "head.at": "{timestamp_ms}",
        "head.when": "{timestamp_iso}",
        "side": "BUY",
        "height": "{last_sync_block}",
    },
    "payload": {
        "into": "body",
        "message": "desk.v1.Ticket",
        "values": {
            "qty": "{amount_in}",
            "units": "{amount_in}",
            "wallet": "{address}",
            "chain": "{chain_id}",
            "dry": "{staged}",
            "note": "{memo}",
            "label": "{strategy_id}/{amount_in}",
            "rate": 0.5,
        },
    },
}
STREAMS = {"proposals": "orders", "field": "body", "proposals_maxlen": False}

drawn_signals = st.tuples(
    st.integers(0, 4095),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.integers(1, 2**62),
    st.integers(0, 2**31 - 1),
    st.integers(1 << 35, (1 << 42) - 1),
)


def compose(codec: dict[str, Any], drawn: tuple[int, int, bool, int, int, int], **more: Any) -> Any:
    """The entry's fields, and the expected signal; the second of two commands."""
    agent, index, hot, amount, block, stamp = drawn
    contract = Contract.model_validate({"prefix": "x:", "streams": STREAMS, "codec": codec, **more})
    identity = AgentIdentity(contract, Signals(memo_bytes=5), 0xAB, agent)
    address = HOT_ADDRESS if hot else agent
    encoder = make_encoder(identity)
    encoder.command(index ^ 1, agent, 7, 1, varint(1 << 36))
    command = encoder.command(index, address, amount, block, varint(stamp))
    reader = hiredis.Reader()
    reader.feed(command)
    arguments = reader.gets()
    assert reader.gets() is False
    assert arguments[:3] == [b"XADD", b"x:orders", b"*"]
    fields = dict(zip(arguments[3::2], arguments[4::2], strict=True))
    return fields, identity.template().signal(index, address, amount, block, stamp)


@given(drawn_signals)
def test_json_has_the_same_values(drawn: tuple[int, int, bool, int, int, int]) -> None:
    """A text of one placeholder keeps its type, others become text, literals stay."""
    fields, signal = compose(JSON, drawn)
    assert json.loads(fields[b"body"]) == {
        "v": 1,
        "ref": signal.trace_id,
        "order": {"qty": str(signal.amount_in), "units": signal.amount_in, "dry": False},
        "who": [signal.agent_id, {"wallet": signal.address, "chain": 1}],
        "at": signal.timestamp_ms,
        "when": iso_time(signal.timestamp_ms),
        "head": signal.last_sync_block,
        "label": f'x"{{{signal.strategy_id}}}-{signal.last_sync_block}-{signal.trace_id}',
        "note": "AAECAwQ=",
        "nothing": None,
    }


@given(drawn_signals)
def test_fields_have_the_same_values(drawn: tuple[int, int, bool, int, int, int]) -> None:
    """One field a value, each of them text but for raw bytes."""
    fields, signal = compose(FIELDS, drawn)
    expected = {
        "kind": "order",
        "ref": signal.trace_id,
        "qty": str(signal.amount_in),
        "wallet": signal.address,
        "head": f"b{signal.last_sync_block}",
        "at": str(signal.timestamp_ms),
        "when": iso_time(signal.timestamp_ms),
        "dry": "false",
        "note": signal.memo.decode(),
        "fee": "7",
    }
    assert fields == {name.encode(): value.encode() for name, value in expected.items()}


@given(drawn_signals)
def test_messages_of_the_system_have_the_same_values(
    drawn: tuple[int, int, bool, int, int, int],
) -> None:
    """Nested messages, an enum, and a payload within a bytes field, by the descriptor set alone."""
    fields, signal = compose(PROTOBUF, drawn)
    order: Any = message_class(descriptor_set(), "desk.v1.Order").FromString(fields[b"body"])
    ticket: Any = message_class(descriptor_set(), "desk.v1.Ticket").FromString(order.body)
    assert (order.head.ref, order.head.at) == (signal.trace_id, signal.timestamp_ms)
    assert order.head.raw.hex() == signal.trace_id.replace("-", "")
    assert order.head.when == iso_time(signal.timestamp_ms)
    assert (order.side, order.height) == (3, signal.last_sync_block)
    assert (ticket.qty, ticket.units) == (str(signal.amount_in), signal.amount_in)
    assert (ticket.wallet, ticket.chain, ticket.dry) == (signal.address, 1, False)
    assert (ticket.note, ticket.rate) == (signal.memo, 0.5)
    assert ticket.label == f"{signal.strategy_id}/{signal.amount_in}"


@given(drawn_signals)
def test_our_own_message_is_the_default(drawn: tuple[int, int, bool, int, int, int]) -> None:
    """Without a codec in the contract signals are what they always were."""
    fields, signal = compose({}, drawn)
    assert fields == {b"body": encode_signal(signal)}


def test_listed_addresses_are_the_ones_that_sign() -> None:
    """Agents sign with the address at their number."""
    drawn = (1, 5, False, 9, 9, 1 << 40)
    fields, _ = compose(FIELDS, drawn, addresses=["w-a", "w-b", "w-c"])
    assert fields[b"wallet"] == b"w-b"


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        ({"kind": "json", "document": {"a": "{trace}"}}, "no value 'trace'"),
        ({"kind": "json", "document": {"a": "{amount_in}"}}, "trace_id} is missing"),
        ({"kind": "json", "document": {"a": "{trace_id"}}, "unmatched brace"),
        ({"kind": "json", "document": {"a": "{trace_id:bytes}"}}, "JSON has no bytes"),
        ({"kind": "fields", "fields": {"a": "{trace_id:number}"}}, "trace_id is no number"),
        ({"kind": "fields", "fields": {"a": "{trace_id:octal}"}}, "no form 'octal'"),
        ({"kind": "xml"}, "kind is trade_request, json, fields or protobuf"),
        ({**PROTOBUF, "descriptors": "AAAA"}, "not a descriptor set"),
        ({**PROTOBUF, "message": "desk.v1.Trade"}, "there are desk.v1.Head, desk.v1.Order"),
        ({**PROTOBUF, "values": {"head.id": "{trace_id}"}}, "desk.v1.Head has no field 'id'"),
        ({**PROTOBUF, "values": {"head": "{trace_id}"}}, "head is a message"),
        ({**PROTOBUF, "values": {"side.x": "{trace_id}"}}, "side is no message"),
        ({**PROTOBUF, "values": {"tags": "{trace_id}"}}, "tags is repeated"),
        ({**PROTOBUF, "values": {"height": "{trace_id}"}}, "cannot be its value"),
        (
            {**PROTOBUF, "values": {"head.ref": "{trace_id}", "side": "SELL"}},
            "'SELL' cannot be its value",
        ),
        (
            {**PROTOBUF, "values": {"head.ref": "{trace_id}", "small": "{amount_in}"}},
            "desk.v1.Order.small cannot hold",
        ),
    ],
)
def test_codecs_that_cannot_be_are_refused(codec: dict[str, Any], message: str) -> None:
    """Before any load, with the place and what there is instead."""
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Contract.model_validate({"codec": codec})


def test_every_problem_is_reported_at_once() -> None:
    """Of three wrong places all three are named."""
    values = {"head.id": "{trace_id}", "tags": "a", "side": "SELL"}
    with pytest.raises(ValueError, match=r"(?s)no field 'id'.*tags is repeated.*'SELL'"):
        Contract.model_validate({"codec": {**PROTOBUF, "values": values}})


def test_incomplete_descriptor_set_is_reported() -> None:
    """Without --include_imports protoc leaves imports out."""
    with pytest.raises(ValueError, match="include_imports"):
        message_class(descriptor_set(complete=False), "desk.v1.Order")
