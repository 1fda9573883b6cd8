"""Where the newest block is read in other systems' chain events."""

from __future__ import annotations

import pytest

from harness.contract.chain_feed import ChainFeed
from harness.contract.descriptors import message_class
from tests.unit.load.foreign_messages import descriptor_set, descriptor_text


def test_flat_fields() -> None:
    """A number in a field of its own."""
    assert ChainFeed(kind="fields", block="h").reader("data")({b"h": b"41"}) == 41


def test_json_in_a_field() -> None:
    """A path through a document; in the field of signals unless another one is named."""
    document = b'{"head": {"number": 41}}'
    assert ChainFeed(kind="json", block="head.number").reader("msg")({b"msg": document}) == 41
    assert ChainFeed(kind="json", field="e", block="n").reader("msg")({b"e": b'{"n": 7}'}) == 7


def test_messages_of_the_team() -> None:
    """By the descriptor set alone."""
    feed = ChainFeed.model_validate(
        {
            "kind": "protobuf",
            "descriptors": descriptor_text(),
            "message": "desk.v1.Order",
            "block": "height",
        }
    )
    order = message_class(descriptor_set(), "desk.v1.Order")(height=41)
    assert feed.reader("data")({b"data": order.SerializeToString()}) == 41


@pytest.mark.parametrize("kind", ["fields", "json"])
def test_an_event_without_a_block_is_an_error(kind: str) -> None:
    """A follower leaves it out."""
    read = ChainFeed.model_validate({"kind": kind, "block": "h"}).reader("data")
    with pytest.raises(ValueError, match=r"h|invalid literal"):
        read({b"data": b"{}"})
