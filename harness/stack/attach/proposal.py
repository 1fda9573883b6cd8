"""A contract proposed from what was found in a database and in Redis; pure.

What is not found keeps the reference name. Each line says what it rests on, and whether it is a
guess that a person has to confirm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.stack.attach.contract_sections import Section
from harness.stack.attach.discovery import FoundStream, FoundTable
from harness.stack.attach.stream_proposal import stream_sections
from harness.stack.attach.table_proposal import table_sections


class Proposal(NamedTuple):
    """What is proposed.

    Attributes:
        addresses: signing addresses that the system knows; empty where it may accept any.
    """

    sections: tuple[Section, ...]
    addresses: tuple[str, ...] = ()

    @property
    def guesses(self) -> int:
        """Lines that a person has to confirm."""
        return sum(entry.is_guess for section in self.sections for entry in section.entries)


def propose(tables: Sequence[FoundTable] | None, streams: Sequence[FoundStream] | None) -> Proposal:
    """The tables of a contract, without the addresses of the servers.

    Args:
        tables: of the database; None where it was not read.
        streams: of Redis; None where it was not read.
    """
    of_database, addresses = table_sections(tables)
    return Proposal((*stream_sections(streams), *of_database), addresses)
