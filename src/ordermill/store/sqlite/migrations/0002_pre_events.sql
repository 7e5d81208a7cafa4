-- What is announced, to whom, and what came of it. Instants are microseconds since 1970 UTC.

CREATE TABLE endpoint (
    id               INTEGER PRIMARY KEY,
    account_id       INTEGER NOT NULL,
    mode             INTEGER NOT NULL CHECK (mode IN (0, 1)),
    kind             TEXT NOT NULL,
    url              TEXT NOT NULL,
    description      TEXT NOT NULL,
    events           TEXT NOT NULL,
    format           TEXT NOT NULL,
    ordering         TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('active', 'paused', 'disabled', 'deleted')),
    reason           TEXT NOT NULL,
    secret           TEXT NOT NULL,
    old_secret       TEXT,
    old_secret_until INTEGER,
    created_at       INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,
    last_success_at  INTEGER,
    last_failure_at  INTEGER,
    failing_since    INTEGER,
    last_error       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX endpoint_account ON endpoint (account_id, mode) WHERE state <> 'deleted' AND kind <> 'notify';
CREATE UNIQUE INDEX endpoint_notify ON endpoint (account_id, mode, url) WHERE kind = 'notify';

-- Written in the transaction that makes the fact true. item_id: the recorded version the event is about.
CREATE TABLE event (
    id         INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    type       TEXT NOT NULL,
    dialect    TEXT NOT NULL,
    order_id   INTEGER,
    item_id    INTEGER,
    batch_id   INTEGER,
    created_at INTEGER NOT NULL,
    body       BLOB NOT NULL
) STRICT;
CREATE INDEX event_account ON event (account_id, created_at);
CREATE INDEX event_order ON event (account_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX event_batch ON event (account_id, batch_id) WHERE batch_id IS NOT NULL;

-- One event owed to one endpoint: this table is the queue. state is 0 pending, 1 delivered, 2 exhausted. While owner is
-- set, due_at is the end of its lease; attempt counts the claims, and a result counts only with the newest one.
CREATE TABLE delivery (
    id          INTEGER PRIMARY KEY,
    account_id  INTEGER NOT NULL,
    mode        INTEGER NOT NULL,
    event_id    INTEGER NOT NULL,
    endpoint_id INTEGER NOT NULL,
    url         TEXT,
    lane        INTEGER,
    state       INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    due_at      INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    owner       TEXT,
    last_status INTEGER,
    last_error  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    CHECK ((state = 0) = (finished_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX delivery_event ON delivery (account_id, event_id, endpoint_id);
CREATE INDEX delivery_due ON delivery (account_id, endpoint_id, due_at, event_id) WHERE state = 0;
CREATE INDEX delivery_lane ON delivery (account_id, endpoint_id, lane, event_id) WHERE state = 0 AND lane IS NOT NULL;
CREATE INDEX delivery_exhausted ON delivery (account_id, event_id, endpoint_id) WHERE state = 2;

CREATE TABLE attempt (
    account_id  INTEGER NOT NULL,
    delivery_id INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    took_ms     INTEGER NOT NULL,
    status      INTEGER,
    error       TEXT NOT NULL,
    snippet     TEXT NOT NULL,
    PRIMARY KEY (account_id, delivery_id, number)
) STRICT, WITHOUT ROWID;

-- Kept, not counted: attempts of an endpoint per hour, and how long they took.
CREATE TABLE delivery_tally (
    account_id  INTEGER NOT NULL,
    endpoint_id INTEGER NOT NULL,
    hour        INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    ms_total    INTEGER NOT NULL,
    to_50_ms    INTEGER NOT NULL,
    to_250_ms   INTEGER NOT NULL,
    to_1000_ms  INTEGER NOT NULL,
    to_5000_ms  INTEGER NOT NULL,
    longer      INTEGER NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, hour)
) STRICT, WITHOUT ROWID;
