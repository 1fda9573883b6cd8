"""Observing commits by logical decoding: the server streams them in commit order, with times.

It uses a temporary slot, so that nothing remains on the server however the observer ends.
"""

from __future__ import annotations

import os
import select

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo
from psycopg.pq.abc import PGconn, PGresult

from harness.clock import NS_PER_MS, NS_PER_S, NS_PER_US, Clock
from harness.contract.names import Contract
from harness.contract.relation_name import name_parts
from harness.errors import StackError, error_text
from harness.observe.decoder import Decoder, RowVersion
from harness.observe.libpq import connect, identifier, literal, require_open
from harness.observe.pgoutput import Keepalive, XLogData, parse_frame, status_update
from harness.observe.plan import ObserverPlan
from harness.observe.status_normalizer import NormalizeStatus, make_status_normalizer, type_query
from harness.observe.watcher import Versions, WatcherLost

# The server releases WAL only up to the confirmed position, and ends a silent client after
# wal_sender_timeout (60 s by default).
CONFIRM_EVERY_NS = NS_PER_S
# How often a drain asks the server for its position.
_ASK_EVERY_NS = 10 * NS_PER_MS
# A poll must return even when the server never pauses.
_FRAMES_MAX = 20_000
_SLOTS_IN_USE = "53400"
_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_READ = select.POLLIN | select.POLLERR | select.POLLHUP


class LogicalWatcher:
    """A replication connection with a temporary slot on the observer's publication.

    Args:
        conninfo: of a role with REPLICATION and SELECT on the FSM table.
        contract: names of table, columns and publication.
        slot: prefix of the names of its temporary slots, unique on the server.
        clock: monotonic and wall time.
    """

    def __init__(self, conninfo: str, contract: Contract, slot: str, clock: Clock) -> None:
        self._conninfo = make_conninfo(
            conninfo, replication="database", application_name="harness_observer"
        )
        self._contract = contract
        self._slot = slot
        self._opened = 0
        self._clock = clock
        self._decoder = Decoder(contract.tasks)
        self._connection: PGconn | None = None
        self._poll = select.poll()
        self._confirm_due_ns = 0
        self._ask_due_ns = 0
        self._more = False
        self.seen_ns = 0
        self.received_lsn = 0
        self.covered_ns = 0  # each version has the time of its commit

    @property
    def unreadable(self) -> int:
        return self._decoder.unreadable

    def open(self, deadline_ns: int) -> None:
        self.close()
        connection = connect(self._conninfo, deadline_ns - self._clock.now_ns())
        self._connection = connection
        try:
            self._poll = select.poll()
            self._poll.register(connection.socket, _READ)
            self._check_publication(deadline_ns)
            self._decoder.spell = self._read_spelling(deadline_ns)
            # After a lost connection the server may hold its slot for a while.
            self._opened += 1
            slot = identifier(f"{self._slot}_{self._opened}")
            self._command(
                f"CREATE_REPLICATION_SLOT {slot} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'nothing')",
                deadline_ns,
            )
            self._command(
                f"START_REPLICATION SLOT {slot} LOGICAL 0/0"
                f" (proto_version '1',"
                f" publication_names {literal(identifier(self._contract.publication))})",
                deadline_ns,
            )
            connection.nonblocking = 1
        except OperationalError as error:
            self.close()
            raise WatcherLost(error_text(error, with_type=False)) from error
        except StackError:
            self.close()
            raise
        self.received_lsn = 0
        self._more = False

    def poll(self, timeout_ns: int) -> Versions:
        connection = require_open(self._connection)
        found: list[RowVersion] = []
        try:
            self._confirm_when_due(connection)
            if self._more or self._poll.poll(max(0, timeout_ns) // NS_PER_MS):
                connection.consume_input()
            self.seen_ns = self._clock.now_ns()
            self._more = not self._read_frames(connection, found)
        except OperationalError as error:
            raise WatcherLost(error_text(error, with_type=False)) from error
        return found

    def has_all(self, lsn: int) -> bool:
        if self.received_lsn >= lsn:
            return True
        now_ns = self._clock.now_ns()
        if now_ns >= self._ask_due_ns:
            self._ask_due_ns = now_ns + _ASK_EVERY_NS
            try:
                self._confirm(require_open(self._connection), reply_wanted=True)
            except OperationalError as error:
                raise WatcherLost(error_text(error, with_type=False)) from error
        return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.finish()
            self._connection = None

    def _read_frames(self, connection: PGconn, found: list[RowVersion]) -> bool:
        """Read what has been received; whether that was all of it."""
        for _ in range(_FRAMES_MAX):
            size, data = connection.get_copy_data(1)
            if size == 0:
                return True
            if size < 0:
                result = connection.get_result()
                message = result.error_message.decode("utf-8", "replace") if result else ""
                raise WatcherLost(" ".join(message.split()) or "the server ended the stream")
            frame = parse_frame(data)
            if isinstance(frame, XLogData):
                version = self._decoder.decode(frame.payload)
                if version is not None:
                    found.append(version)
                self.received_lsn = max(self.received_lsn, self._decoder.commit_end_lsn)
            elif isinstance(frame, Keepalive):
                self.received_lsn = max(self.received_lsn, frame.end_lsn)
                if frame.reply_wanted:
                    self._confirm(connection, reply_wanted=False)
        return False

    def _confirm_when_due(self, connection: PGconn) -> None:
        if self._clock.now_ns() >= self._confirm_due_ns:
            self._confirm(connection, reply_wanted=True)

    def _confirm(self, connection: PGconn, *, reply_wanted: bool) -> None:
        unix_us = self._clock.wall_ns() // NS_PER_US
        connection.put_copy_data(
            status_update(self.received_lsn, unix_us, reply_wanted=reply_wanted)
        )
        connection.flush()
        self._confirm_due_ns = self._clock.now_ns() + CONFIRM_EVERY_NS

    def _check_publication(self, deadline_ns: int) -> None:
        # The server would report a missing publication only with the first row. A table of the
        # same name in another schema is another table.
        publication, table = self._contract.publication, self._contract.tasks.table
        quoted = ".".join(identifier(part) for part in name_parts(table))
        found = self._command(
            "SELECT c.oid FROM pg_publication_tables p"  # noqa: S608 - quoted; no parameters here
            " JOIN pg_namespace n ON n.nspname = p.schemaname"
            " JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename"
            f" WHERE p.pubname = {literal(publication)} AND c.oid = to_regclass({literal(quoted)})",
            deadline_ns,
        )
        if found.ntuples == 0:
            raise StackError(
                f"there is no publication {publication} of table {table}",
                where="observer",
                hint=f"CREATE PUBLICATION {identifier(publication)} FOR TABLE {quoted}"
                " WITH (publish = 'insert, update'), or choose the way 'polling'",
            )
        self._decoder.oid = int(found.get_value(0, 0) or b"0")

    def _read_spelling(self, deadline_ns: int) -> NormalizeStatus:
        found = self._command(type_query(self._contract), deadline_ns)
        name = found.get_value(0, 0) if found.ntuples else None
        return make_status_normalizer(self._contract, (name or b"").decode())

    def _command(self, command: str, deadline_ns: int) -> PGresult:
        connection = require_open(self._connection)
        connection.send_query(command.encode())
        while connection.is_busy():
            if not self._poll.poll(_left_ms(deadline_ns, self._clock)):
                # A backend that waits for a lock would not notice that its client has ended.
                connection.get_cancel().cancel()
                raise WatcherLost(f"{command.split()[0]} was not answered in time")
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            raise WatcherLost(f"{command.split()[0]} was not answered")
        if result.status == pq.ExecStatus.COPY_BOTH:
            return result
        while connection.get_result() is not None:
            continue
        if result.status in _DONE:
            return result
        message = " ".join(result.get_error_message().split())
        state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        # It has observed before, so a slot was free: the server will release the one it holds.
        held = self._opened > 1 and state == _SLOTS_IN_USE
        if require_open(self._connection).status != pq.ConnStatus.OK or is_transient(state) or held:
            raise WatcherLost(message)
        raise StackError(
            f"PostgreSQL refused {command.split()[0]}: {message}",
            where="observer",
            hint="logical decoding needs wal_level=logical, a role with REPLICATION, a free"
            f" replication slot and the publication {self._contract.publication};"
            " or choose the way 'polling'",
        )


def is_transient(state: str) -> bool:
    """Whether a server may recover from a refusal with this SQLSTATE.

    True for lack of disk or memory and for system errors; false for what needs another
    configuration, such as too few slots (53400).
    """
    return state in ("53100", "53200") or state.startswith("58")


def _left_ms(deadline_ns: int, clock: Clock) -> int:
    return max(1, (deadline_ns - clock.now_ns()) // NS_PER_MS)


def make_watcher(plan: ObserverPlan, clock: Clock) -> LogicalWatcher:
    """The watcher of a plan; its slots have the run and the process in their names."""
    slot = f"harness_{plan.run_tag:012x}_{os.getpid()}"
    return LogicalWatcher(plan.observer_dsn.get_secret_value(), plan.contract, slot, clock)
