-- The ledger. Instants are microseconds since 1970 UTC, money is decimal text, mode is 0 live or 1 test.
-- account_id stands first in every key and every statement, so that the same shape can be sharded by account.

CREATE TABLE account (
    id            bigint PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    notify_secret text NOT NULL,
    created_at    bigint NOT NULL
);

CREATE TABLE api_key (
    account_id   bigint NOT NULL REFERENCES account (id),
    id           text NOT NULL,
    name         text NOT NULL,
    mode         smallint NOT NULL CHECK (mode IN (0, 1)),
    scopes       text NOT NULL,
    secret_hash  bytea NOT NULL,
    hint         text NOT NULL,
    rate_limit   bigint,
    created_at   bigint NOT NULL,
    expires_at   bigint,
    revoked_at   bigint,
    last_used_at bigint,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX api_key_id ON api_key (id);

CREATE TABLE counter (
    account_id bigint NOT NULL,
    name       text NOT NULL,
    next       bigint NOT NULL,
    PRIMARY KEY (account_id, name)
);

-- retired is 0 while the order holds its key, its own id once the key is free again.
CREATE TABLE orders (
    account_id    bigint NOT NULL,
    id            bigint NOT NULL,
    mode          smallint NOT NULL,
    dialect       text NOT NULL,
    source        text NOT NULL,
    reference     text NOT NULL,
    retired       bigint NOT NULL,
    revision      integer NOT NULL,
    status        text NOT NULL,
    placed_at     bigint NOT NULL,
    updated_at    bigint NOT NULL,
    received_at   bigint NOT NULL,
    changed_at    bigint NOT NULL,
    amount        text,
    currency      text,
    contact_id    bigint,
    content_hash  bigint NOT NULL,
    request_id    text,
    number        bigint,
    document_item bigint NOT NULL,
    PRIMARY KEY (account_id, id)
);
-- What tells two apart stands in front, so that most comparisons end there.
CREATE UNIQUE INDEX orders_key ON orders (account_id, reference, source, dialect, mode, retired);
-- Serves the sort by creation, the tie-break by update, and both filters without touching the rows.
CREATE INDEX orders_placed ON orders (account_id, mode, dialect, placed_at, updated_at, id);
CREATE INDEX orders_contact ON orders (account_id, contact_id, id) WHERE contact_id IS NOT NULL;
CREATE UNIQUE INDEX orders_number ON orders (account_id, mode, dialect, source, number) WHERE number IS NOT NULL;
CREATE INDEX orders_request ON orders (account_id, request_id) WHERE request_id IS NOT NULL;

CREATE TABLE batch (
    account_id      bigint NOT NULL,
    id              bigint NOT NULL,
    mode            smallint NOT NULL,
    dialect         text NOT NULL,
    source          text NOT NULL,
    key_id          text NOT NULL,
    request_id      text NOT NULL,
    status          text NOT NULL,
    historical      smallint NOT NULL,
    notify_url      text,
    origin          text NOT NULL,
    parent_batch_id bigint,
    received        bigint NOT NULL,
    created         bigint NOT NULL,
    updated         bigint NOT NULL,
    unchanged       bigint NOT NULL,
    failed          bigint NOT NULL,
    waiting         bigint NOT NULL,
    created_at      bigint NOT NULL,
    updated_at      bigint NOT NULL,
    finished_at     bigint,
    size_bytes      bigint NOT NULL,
    PRIMARY KEY (account_id, id),
    CHECK (received = created + updated + unchanged + failed + waiting)
);
CREATE INDEX batch_account ON batch (account_id, mode, id);
CREATE INDEX batch_unfinished ON batch (account_id, id) WHERE finished_at IS NULL;
CREATE INDEX batch_parent ON batch (account_id, parent_batch_id) WHERE parent_batch_id IS NOT NULL;

-- An item is a place in a batch AND the recorded version it brought: each order's bytes are written here, once.
-- id = batch << 24 | position. key is NULL when it is the position, reference is NULL when the order has it.
CREATE TABLE item (
    account_id bigint NOT NULL,
    id         bigint NOT NULL,
    key        text,
    outcome    smallint NOT NULL,
    reference  text,
    order_id   bigint,
    revision   integer,
    updated_at bigint,
    at         bigint NOT NULL,
    code       text,
    field      text,
    problems   text,
    document   text,
    PRIMARY KEY (account_id, id)
);
-- The versions of an order behind its first: that one is the item with the order's own id.
CREATE INDEX item_order ON item (account_id, order_id, id) WHERE order_id <> id AND updated_at IS NOT NULL;
CREATE INDEX item_failed ON item (account_id, id, code, field) WHERE outcome = 5;

CREATE TABLE contact_identifier (
    account_id bigint NOT NULL,
    mode       smallint NOT NULL,
    kind       text NOT NULL,
    value      text NOT NULL,
    contact_id bigint NOT NULL,
    PRIMARY KEY (account_id, value, kind, mode)
);
CREATE INDEX contact_identifier_contact ON contact_identifier (account_id, contact_id);

-- Kept, not counted: how many orders there are, and what came in per hour.
CREATE TABLE order_count (
    account_id bigint NOT NULL,
    mode       smallint NOT NULL,
    dialect    text NOT NULL,
    orders     bigint NOT NULL,
    PRIMARY KEY (account_id, mode, dialect)
);
CREATE TABLE tally (
    account_id bigint NOT NULL,
    mode       smallint NOT NULL,
    hour       bigint NOT NULL,
    dialect    text NOT NULL,
    key_id     text NOT NULL,
    batches    bigint NOT NULL,
    received   bigint NOT NULL,
    created    bigint NOT NULL,
    updated    bigint NOT NULL,
    unchanged  bigint NOT NULL,
    failed     bigint NOT NULL,
    PRIMARY KEY (account_id, mode, hour, dialect, key_id)
);

CREATE TABLE memo (
    account_id   bigint NOT NULL,
    key          text NOT NULL,
    fingerprint  bytea NOT NULL,
    status       bigint NOT NULL,
    content_type text NOT NULL,
    body         bytea NOT NULL,
    created_at   bigint NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX memo_age ON memo (created_at);

-- pglz costs twice the time for documents of a few kilobytes; lz4 is not built into every server.
DO $$ BEGIN
    ALTER TABLE item ALTER COLUMN document SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value OR syntax_error THEN NULL;
END $$;
