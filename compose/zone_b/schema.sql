-- Tables of Zone B. Every statement can be run again: `python -m zone_b.migrate` runs them all.

DO $$ BEGIN
    CREATE TYPE task_status AS ENUM (
        'INIT', 'SIMULATED',
        'STALE_DATA_ERROR', 'INVARIANT_BROKEN', 'SIMULATION_TIMEOUT', 'SIMULATION_UNAVAILABLE',
        'MALFORMED',
        'SIGNED', 'BROADCASTED', 'CONFIRMED', 'REVERTED'
    );
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

DO $$ BEGIN
    CREATE TYPE ledger_entry_type AS ENUM ('TRADE', 'GAS_FEE', 'PROTOCOL_FEE');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

-- Every row is updated once, soon after it was written, and no updated column is indexed: half a
-- page of room keeps that update on the page (HOT) and out of the indexes.
CREATE TABLE IF NOT EXISTS trade_tasks (
    id             uuid        PRIMARY KEY,
    strategy_id    text        NOT NULL,
    trace_id       uuid        NOT NULL,
    status         task_status NOT NULL DEFAULT 'INIT',
    nonce          bigint      CHECK (nonce >= 0),
    tx_hash        text,
    internal_tx_id uuid,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- What makes a second delivery of a signal harmless.
CREATE UNIQUE INDEX IF NOT EXISTS trade_tasks_trace_id ON trade_tasks (trace_id);

-- `nonce` is the next one to be given. A lock is held while `expires_at` lies ahead; who had it
-- last stays readable. A hot address updates one row all the time, hence the room for HOT.
CREATE TABLE IF NOT EXISTS nonce_locks (
    address    text        NOT NULL,
    chain_id   bigint      NOT NULL,
    nonce      bigint      NOT NULL DEFAULT 0 CHECK (nonce >= 0),
    locked_by  text,
    locked_at  timestamptz,
    expires_at timestamptz,
    PRIMARY KEY (address, chain_id)
) WITH (fillfactor = 20);

-- A wallet has its address; the pool and the collectors of fees have none.
CREATE TABLE IF NOT EXISTS accounts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text   NOT NULL CHECK (kind IN ('wallet', 'pool', 'gas', 'protocol')),
    address    text   NOT NULL DEFAULT '',
    chain_id   bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, address, chain_id)
);

-- No foreign keys on purpose: each would take a share lock on one of three account rows that every
-- trade of every worker touches, nine look-ups a trade. The engine opens accounts before it books,
-- and writes task and entries in one transaction. The primary key begins with the trace id, so it
-- serves look-ups by signal as well.
CREATE TABLE IF NOT EXISTS ledger_entries (
    internal_tx_id    uuid              NOT NULL,
    trace_id          uuid              NOT NULL,
    debit_account_id  bigint            NOT NULL,
    credit_account_id bigint            NOT NULL,
    amount            numeric(78, 0)    NOT NULL CHECK (amount > 0),
    entry_type        ledger_entry_type NOT NULL,
    created_at        timestamptz       NOT NULL DEFAULT now(),
    PRIMARY KEY (trace_id, internal_tx_id, entry_type),
    CHECK (debit_account_id <> credit_account_id)
);
