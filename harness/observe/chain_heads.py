"""When the chain's head was where: every event that the stream still holds.

Writes `final-heads.bin`. The ids are Redis's own, as those of the signals are, so that the one can
be held against the other without any clock between them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from harness.contract.names import Contract
from harness.errors import StackError
from harness.evidence.records import HEAD, RecordWriter
from harness.observe.clock_probes import redis_client

_PORTION = 1_000
# Events of a day at four a second; a stream is trimmed far below that.
_EVENTS_MAX = 400_000
_RECORD = struct.Struct("<qII")
_BLOCK_MAX = 0xFFFF_FFFF

if _RECORD.size != HEAD.itemsize:
    raise AssertionError("heads are packed in another layout than they are read")


def write_heads(url: str, contract: Contract, path: Path) -> None:
    """Read and write all of them; an empty file where the contract names no such stream.

    Raises:
        StackError: Redis does not answer.
        EvidenceError: the file cannot be written.
    """
    client = redis_client(url)
    try:
        with RecordWriter(path) as writer:
            for record in _records(client, contract):
                writer.write(record)
    except (redis.RedisError, OSError) as error:
        raise StackError(f"the chain events cannot be read: {error}", where="redis") from error
    finally:
        client.close()


def _records(client: redis.Redis, contract: Contract) -> Iterator[bytes]:
    """A portion of events at a time; those that tell no block are left out."""
    stream = contract.streams.chain_events
    if stream is None:
        return
    block_of = contract.chain.reader(contract.streams.field)
    after = "-"
    for _ in range(_EVENTS_MAX // _PORTION):
        found: Any = client.xrange(contract.key(stream), after, "+", _PORTION)
        if not found:
            return
        buffer = bytearray()
        for entry, fields in found:
            try:
                block = block_of(fields)
            except (ValueError, TypeError):
                continue
            if 0 <= block <= _BLOCK_MAX:
                redis_ms, _, redis_seq = entry.decode().partition("-")
                buffer += _RECORD.pack(int(redis_ms), int(redis_seq), block)
        yield bytes(buffer)
        after = f"({found[-1][0].decode()}"
