-- The ledger. Instants are microseconds since 1970 UTC, money is decimal text, mode is 0 live or 1 test.
-- account_id stands first in every key and every statement, so that the same shape can be sharded by account.

CREATE TABLE account (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    notify_secret TEXT NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    account_id   INTEGER NOT NULL REFERENCES account (id),
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    mode         INTEGER NOT NULL CHECK (mode IN (0, 1)),
    scopes       TEXT NOT NULL,
    secret_hash  BLOB NOT NULL,
    hint         TEXT NOT NULL,
    rate_limit   INTEGER,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    PRIMARY KEY (account_id, id)
) STRICT;
CREATE UNIQUE INDEX api_key_id ON api_key (id);

CREATE TABLE counter (
    account_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    next       INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

-- retired is 0 while the order holds its key, its own id once the key is free again.
CREATE TABLE orders (
    id            INTEGER PRIMARY KEY,
    account_id    INTEGER NOT NULL,
    mode          INTEGER NOT NULL,
    dialect       TEXT NOT NULL,
    source        TEXT NOT NULL,
    reference     TEXT NOT NULL,
    retired       INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    status        TEXT NOT NULL,
    placed_at     INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL,
    amount        TEXT,
    currency      TEXT,
    contact_id    INTEGER,
    content_hash  INTEGER NOT NULL,
    request_id    TEXT,
    number        INTEGER,
    document_item INTEGER NOT NULL
) STRICT;
-- What tells two apart stands in front, so that most comparisons end there.
CREATE UNIQUE INDEX orders_key ON orders (account_id, reference, source, dialect, mode, retired);
-- Serves the sort by creation, the tie-break by update, and both filters without touching the rows.
CREATE INDEX orders_placed ON orders (account_id, mode, dialect, placed_at, updated_at);
CREATE INDEX orders_contact ON orders (account_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE UNIQUE INDEX orders_number ON orders (account_id, mode, dialect, source, number) WHERE number IS NOT NULL;
CREATE INDEX orders_request ON orders (account_id, request_id) WHERE request_id IS NOT NULL;

CREATE TABLE batch (
    id              INTEGER PRIMARY KEY,
    account_id      INTEGER NOT NULL,
    mode            INTEGER NOT NULL,
    dialect         TEXT NOT NULL,
    source          TEXT NOT NULL,
    key_id          TEXT NOT NULL,
    request_id      TEXT NOT NULL,
    status          TEXT NOT NULL,
    historical      INTEGER NOT NULL,
    notify_url      TEXT,
    origin          TEXT NOT NULL,
    parent_batch_id INTEGER,
    received        INTEGER NOT NULL,
    created         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    unchanged       INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    waiting         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    size_bytes      INTEGER NOT NULL,
    CHECK (received = created + updated + unchanged + failed + waiting)
) STRICT;
CREATE INDEX batch_account ON batch (account_id, mode, id);
CREATE INDEX batch_unfinished ON batch (account_id, id) WHERE finished_at IS NULL;
CREATE INDEX batch_parent ON batch (account_id, parent_batch_id) WHERE parent_batch_id IS NOT NULL;

-- An item is a place in a batch AND the recorded version it brought: each order's bytes are written here, once.
-- id = batch << 24 | position. key is NULL when it is the position, reference is NULL when the order has it.
CREATE TABLE item (
    id         INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    key        TEXT,
    outcome    INTEGER NOT NULL,
    reference  TEXT,
    order_id   INTEGER,
    revision   INTEGER,
    updated_at INTEGER,
    at         INTEGER NOT NULL,
    code       TEXT,
    field      TEXT,
    problems   TEXT,
    document   TEXT
) STRICT;
-- The versions of an order behind its first: that one is the item with the order's own id.
CREATE INDEX item_order ON item (account_id, order_id) WHERE order_id <> id AND updated_at IS NOT NULL;
CREATE INDEX item_failed ON item (account_id, id, code, field) WHERE outcome = 5;

CREATE TABLE contact_identifier (
    account_id INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    value      TEXT NOT NULL,
    contact_id INTEGER NOT NULL,
    PRIMARY KEY (account_id, value, kind, mode)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_identifier_contact ON contact_identifier (account_id, contact_id);

-- Kept, not counted: how many orders there are, and what came in per hour.
CREATE TABLE order_count (
    account_id INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    dialect    TEXT NOT NULL,
    orders     INTEGER NOT NULL,
    PRIMARY KEY (account_id, mode, dialect)
) STRICT, WITHOUT ROWID;
CREATE TABLE tally (
    account_id INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    hour       INTEGER NOT NULL,
    dialect    TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    batches    INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    updated    INTEGER NOT NULL,
    unchanged  INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    PRIMARY KEY (account_id, mode, hour, dialect, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE memo (
    account_id   INTEGER NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  BLOB NOT NULL,
    status       INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    body         BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (account_id, key)
) STRICT;
CREATE INDEX memo_age ON memo (created_at);
