"""Status reports of the system as row versions; pure.

A report has no commit time and no transaction, and does not prove a commit. The judge compares the
reports with the final state of the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.contract.chain_feed import at_path
from harness.contract.names import Contract, State
from harness.contract.trace_id import parse
from harness.observe.decoder import RowVersion

_XID_WRAP = 1 << 32


class StatusReportParser:
    """Parses reports in the form that the contract states.

    Attributes:
        unreadable: reports without a trace id or a status.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._seen = contract.seen
        self._xid = 0
        self.unreadable = 0

    def from_text(self, text: str) -> RowVersion | None:
        """A trace id, followed by white space and a status where the contract has one."""
        trace, _, status = text.strip().partition(" ")
        return self.from_values(trace, status.strip() or None)

    def from_json(self, text: str | bytes) -> RowVersion | None:
        """A JSON document."""
        try:
            document = json.loads(text)
            return self.from_values(*self._parts(lambda path: at_path(document, path)))
        except ValueError:
            return self._fail()

    def from_fields(self, fields: Mapping[bytes, bytes]) -> RowVersion | None:
        """The fields of a stream entry."""
        if self._seen.format == "json":
            return self.from_json(fields.get(self._seen.field.encode(), b""))
        try:
            return self.from_values(*self._parts(lambda name: fields[name.encode()].decode()))
        except (KeyError, ValueError):
            return self._fail()

    def _parts(self, find: Any) -> tuple[Any, Any]:
        seen = self._seen
        return find(seen.trace_id), None if seen.status is None else find(seen.status)

    def from_values(self, trace: Any, status: Any) -> RowVersion | None:
        """A trace id and a status, as the system writes them; None if either cannot be read."""
        contract = self._contract
        if self._seen.status is None:
            state = State.SIMULATED
        elif status is None:
            return self._fail()
        else:
            state = contract.state(str(status).strip())
        try:
            # In either case, with or without the prefix of the table.
            trace_hi, trace_lo = parse(str(trace).removeprefix(contract.tasks.trace_prefix))
        except ValueError:
            return self._fail()
        # A report names no transaction: each gets an id of its own.
        self._xid = (self._xid + 1) % _XID_WRAP
        text = contract.status_for(state) or str(status)
        return RowVersion(trace_hi, trace_lo, text, 0, 0, self._xid)

    def _fail(self) -> RowVersion | None:
        self.unreadable += 1
        return None
