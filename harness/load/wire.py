"""Redis commands as bytes (RESP2), packed once where they never change."""

from __future__ import annotations

from harness.contract.names import Contract

Argument = bytes | str | int


def command(*arguments: Argument) -> bytes:
    """One command, ready to be sent."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def proposal_head(contract: Contract) -> bytes:
    """An XADD to the proposals, up to the length of its last argument, the message.

    Agents trim the stream as they write it, approximately, so that Redis drops whole nodes only.
    """
    streams = contract.streams
    maxlen = streams.proposals_maxlen
    trim = () if maxlen is None else ("MAXLEN", "~", maxlen)
    key = contract.key(streams.proposals)
    whole = command("XADD", key, *trim, "*", streams.field, b"")
    return whole.removesuffix(b"0\r\n\r\n")


def proposal(head: bytes, message: bytes) -> bytes:
    """An XADD of one message; `head` comes from `proposal_head`."""
    return b"%b%d\r\n%b\r\n" % (head, len(message), message)


def entry_id(reply: bytes) -> tuple[int, int]:
    """Milliseconds and sequence number of a stream entry's id."""
    milliseconds, _, sequence = reply.partition(b"-")
    return int(milliseconds), int(sequence)
