"""Defects of the FSM rows."""

from __future__ import annotations

from collections.abc import Sequence

from zone_b.defects.defect import Committer, Defect, Task
from zone_b.defects.second_store import SecondStore
from zone_b.trade import Committed, Trade

_SET = "UPDATE trade_tasks SET updated_at = clock_timestamp(), status = "
_SIMULATED = f"{_SET}'SIMULATED' WHERE trace_id = %(trace)s"
_INIT = f"{_SET}'INIT' WHERE trace_id = %(trace)s"
_BROKEN = f"{_SET}'INVARIANT_BROKEN' WHERE trace_id = %(trace)s"
_DELETE = "DELETE FROM trade_tasks WHERE trace_id = %(trace)s"
_INVENT = """
INSERT INTO trade_tasks (id, strategy_id, trace_id) VALUES (gen_random_uuid(), '', %(trace)s::uuid)
ON CONFLICT DO NOTHING
"""
# The part of a trace id that names its agent; no agent has this number.
_OWNER = slice(15, 18)
_NOBODY = "fff"


class _After(Defect):
    """Runs statements after a trade's commit, each in a transaction of its own."""

    statements: tuple[str, ...] = ()

    def after_commit(self, done: Committed) -> None:
        trace_id = done.trade.order.trace_id
        if self.strikes(trace_id):
            for statement in self.statements:
                self.context.database.run(statement, trace=trace_id)


class FinalTwice(_After):
    """Takes a signal's row from SIMULATED to a rejection, and back."""

    statements = (_BROKEN, _SIMULATED)


class IllegalTransition(_After):
    """Takes a signal's row from SIMULATED back to INIT and forward again."""

    statements = (_INIT, _SIMULATED)


class FinalOverwritten(_After):
    """Overwrites SIMULATED with a rejection."""

    statements = (_BROKEN,)


class RowVanishes(_After):
    """Deletes a signal's row after SIMULATED."""

    statements = (_DELETE,)


class InventsSignal(Defect):
    """Writes a SIMULATED row that no agent sent, after a real one."""

    def after_commit(self, done: Committed) -> None:
        real = done.trade.order.trace_id
        if self.trigger.strikes(real):
            invented = real[: _OWNER.start] + _NOBODY + real[_OWNER.stop :]
            self.note(invented)
            self.context.database.run(_INVENT, trace=invented)
            self.context.database.run(_SIMULATED, trace=invented)


class _Otherwise(Defect):
    """Commits some trades by another statement."""

    # Parts of `statements.COMMIT_TRADE` and what stands in their place, with the defect's settings.
    changes: tuple[tuple[str, str], ...] = ()
    _store: SecondStore | None = None

    def committer(self, trade: Trade) -> Committer | None:
        return self._commit if self.strikes(trade.order.trace_id) else None

    def _commit(self, trade: Trade) -> Committed | None:
        if self._store is None:
            changes = [(old, new.format_map(self.spec.settings)) for old, new in self.changes]
            self._store = SecondStore(self.context.settings.pg_dsn, self.context.worker, changes)
        return self._store.commit_one(trade)


class SkipsInit(_Otherwise):
    """Writes a signal's row as SIMULATED at once, without INIT."""

    changes = (
        (
            """
    UPDATE trade_tasks AS task
    SET status = 'SIMULATED', nonce = held.nonce, internal_tx_id = $3::uuid,
        updated_at = clock_timestamp()
    FROM nonce_locks AS held
    WHERE task.trace_id = $4::uuid AND task.status = 'INIT'
      AND""",
            """
    INSERT INTO trade_tasks AS task (id, strategy_id, trace_id, status, nonce, internal_tx_id)
    SELECT gen_random_uuid(), '', $4::uuid, 'SIMULATED'::task_status, held.nonce, $3::uuid
    FROM nonce_locks AS held
    WHERE""",
        ),
    )
    _struck: frozenset[str] = frozenset()

    def begun(self, tasks: Sequence[Task]) -> Sequence[Task]:
        # Decided here, where INIT would be written, and remembered until the commit.
        orders = self.context.orders
        self._struck = frozenset(
            trace for trace, _ in tasks if trace in orders and self.trigger.strikes(trace)
        )
        return [task for task in tasks if task[0] not in self._struck]

    def committer(self, trade: Trade) -> Committer | None:
        if trade.order.trace_id not in self._struck:
            return None
        self.note(trade.order.trace_id)
        return self._commit


class NonceMissing(_Otherwise):
    """Takes a nonce and does not write it into the signal's row."""

    changes = (
        ("SET status = 'SIMULATED', nonce = held.nonce,", "SET status = 'SIMULATED',"),
        ("RETURNING task.trace_id, task.nonce", "RETURNING task.trace_id, held.nonce"),
    )


class ClockSkewed(_Otherwise):
    """Stamps updated_at with a clock that is ahead."""

    changes = (
        (
            "updated_at = clock_timestamp()",
            "updated_at = clock_timestamp() + interval '{skew_s} s'",
        ),
    )
