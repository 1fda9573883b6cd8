"""Redis commands as bytes (RESP2); constant parts are packed once."""

from __future__ import annotations

from harness.contract.names import Contract

Argument = bytes | str | int


def command(*arguments: Argument) -> bytes:
    """One command, ready to be sent."""
    data = [one if isinstance(one, bytes) else str(one).encode() for one in arguments]
    return b"*%d\r\n" % len(data) + b"".join(map(argument, data))


def argument(data: bytes) -> bytes:
    """One argument of a command."""
    return b"$%d\r\n%b\r\n" % (len(data), data)


def entry_head(contract: Contract, fields: int) -> bytes:
    """An XADD to the proposals, up to its fields.

    Agents trim the stream with each entry, approximately, so that Redis drops complete nodes only.
    """
    streams = contract.streams
    maxlen = streams.proposals_maxlen
    trim: tuple[Argument, ...] = () if maxlen is None else ("MAXLEN", "~", maxlen)
    arguments_of_head = ("XADD", contract.key(streams.proposals), *trim, "*")
    packed = command(*arguments_of_head, *[b""] * (2 * fields))
    return packed.removesuffix(argument(b"") * (2 * fields))


def proposal_head(contract: Contract) -> bytes:
    """An XADD to the proposals, up to the length of its last argument, the message."""
    return entry_head(contract, 1) + argument(contract.streams.field.encode()) + b"$"


def proposal(head: bytes, message: bytes) -> bytes:
    """An XADD of one message; `head` comes from `proposal_head`."""
    return b"%b%d\r\n%b\r\n" % (head, len(message), message)


def entry_id(reply: bytes) -> tuple[int, int]:
    """Milliseconds and sequence number of a stream entry's id."""
    milliseconds, _, sequence = reply.partition(b"-")
    return int(milliseconds), int(sequence)
