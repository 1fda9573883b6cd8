"""The SQL of the engine. Each text is prepared once per connection."""

from __future__ import annotations

# Seconds after which a nonce lock has no holder, and after which the server ends a transaction that
# does nothing, or waits for a lock.
LOCK_TTL_S = 30

# Plans are made once, when the tables may still be empty: without the last three settings such a
# plan could read whole tables until they are analyzed.
OPTIONS = (
    f"-c idle_in_transaction_session_timeout={LOCK_TTL_S}s -c lock_timeout={LOCK_TTL_S}s"
    " -c jit=off -c plan_cache_mode=force_generic_plan"
    " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
)

# Parameters: ids, strategies, trace ids. A row that is there already stays as it is.
INIT = """
INSERT INTO trade_tasks (id, strategy_id, trace_id)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[])
ON CONFLICT (trace_id) DO NOTHING
"""

# Parameters: trace ids, statuses.
REJECT = """
UPDATE trade_tasks SET status = refused.status, updated_at = clock_timestamp()
FROM unnest($1::uuid[], $2::task_status[]) AS refused (trace_id, status)
WHERE trade_tasks.trace_id = refused.trace_id AND trade_tasks.status = 'INIT'
RETURNING trade_tasks.trace_id
"""

# Parameters: kinds, addresses, chains.
OPEN_ACCOUNTS = """
INSERT INTO accounts (kind, address, chain_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
ON CONFLICT DO NOTHING
"""

# Parameters: addresses, chains.
OPEN_NONCES = """
INSERT INTO nonce_locks (address, chain_id)
SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT DO NOTHING
"""

# Parameters: kinds, addresses, chains.
FIND_ACCOUNTS = """
SELECT kind, address, chain_id, id
FROM accounts JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS wanted (kind, address, chain_id)
USING (kind, address, chain_id)
"""

# Parameters: address, chain. First of the two statements of a trade's transaction. The times show
# how long the lock took: a statement's timestamp is that of its execution's start.
LOCK_NONCE = """
SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint
FROM nonce_locks WHERE address = $1 AND chain_id = $2 FOR UPDATE
"""

# Parameters: address, chain, internal transaction, trace, worker, then of each of three entries
# debit, credit, amount, type. Second statement, with the lock held: gives the nonce, or no row
# and no effect if the trade is not in INIT any more or another holder's lock has not expired.
COMMIT_TRADE = """
WITH task AS (
    UPDATE trade_tasks AS task
    SET status = 'SIMULATED', nonce = held.nonce, internal_tx_id = $3::uuid,
        updated_at = clock_timestamp()
    FROM nonce_locks AS held
    WHERE task.trace_id = $4::uuid AND task.status = 'INIT'
      AND held.address = $1 AND held.chain_id = $2
      AND (held.locked_by IS NULL OR held.locked_by = $5 OR held.expires_at <= now())
    RETURNING task.trace_id, task.nonce
), advanced AS (
    UPDATE nonce_locks AS held
    SET nonce = task.nonce + 1, locked_by = $5, locked_at = now(), expires_at = clock_timestamp()
    FROM task
    WHERE held.address = $1 AND held.chain_id = $2
), booked AS (
    INSERT INTO ledger_entries (
        internal_tx_id, trace_id, debit_account_id, credit_account_id, amount, entry_type)
    SELECT $3::uuid, task.trace_id, entry.debit, entry.credit, entry.amount, entry.type
    FROM task CROSS JOIN (VALUES
        ($6::bigint, $7::bigint, $8::numeric, $9::ledger_entry_type),
        ($10, $11, $12, $13),
        ($14, $15, $16, $17)
    ) AS entry (debit, credit, amount, type)
)
SELECT nonce, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint FROM task
"""

# Parameters: trace. Why COMMIT_TRADE gave no row.
STATUS = "SELECT status FROM trade_tasks WHERE trace_id = $1::uuid"

# Parameters: pattern of holders.
RELEASE_LOCKS = """
UPDATE nonce_locks SET expires_at = now()
WHERE locked_by LIKE $1 AND expires_at > now()
"""

ALL = {
    "init": INIT,
    "reject": REJECT,
    "open_accounts": OPEN_ACCOUNTS,
    "open_nonces": OPEN_NONCES,
    "find_accounts": FIND_ACCOUNTS,
    "lock_nonce": LOCK_NONCE,
    "commit_trade": COMMIT_TRADE,
    "status": STATUS,
    "release_locks": RELEASE_LOCKS,
}
