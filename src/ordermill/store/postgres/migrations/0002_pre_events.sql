-- What is announced, to whom, and what came of it. Instants are microseconds since 1970 UTC.

CREATE TABLE endpoint (
    id               bigint NOT NULL,
    account_id       bigint NOT NULL,
    mode             smallint NOT NULL CHECK (mode IN (0, 1)),
    kind             text NOT NULL,
    url              text NOT NULL,
    description      text NOT NULL,
    events           text NOT NULL,
    format           text NOT NULL,
    ordering         text NOT NULL,
    state            text NOT NULL CHECK (state IN ('active', 'paused', 'disabled', 'deleted')),
    reason           text NOT NULL,
    secret           text NOT NULL,
    old_secret       text,
    old_secret_until bigint,
    created_at       bigint NOT NULL,
    changed_at       bigint NOT NULL,
    last_success_at  bigint,
    last_failure_at  bigint,
    failing_since    bigint,
    last_error       text NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, id)
);
CREATE INDEX endpoint_account ON endpoint (account_id, mode) WHERE state <> 'deleted' AND kind <> 'notify';
CREATE UNIQUE INDEX endpoint_notify ON endpoint (account_id, mode, url) WHERE kind = 'notify';

-- Written in the transaction that makes the fact true. item_id: the recorded version the event is about.
CREATE TABLE event (
    id         bigint NOT NULL,
    account_id bigint NOT NULL,
    mode       smallint NOT NULL,
    type       text NOT NULL,
    dialect    text NOT NULL,
    order_id   bigint,
    item_id    bigint,
    batch_id   bigint,
    created_at bigint NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX event_account ON event (account_id, created_at, id);
CREATE INDEX event_order ON event (account_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX event_batch ON event (account_id, batch_id) WHERE batch_id IS NOT NULL;

-- One event owed to one endpoint: this table is the queue. state is 0 pending, 1 delivered, 2 exhausted. While owner is
-- set, due_at is the end of its lease; attempt counts the claims, and a result counts only with the newest one.
CREATE TABLE delivery (
    id          bigint NOT NULL,
    account_id  bigint NOT NULL,
    mode        smallint NOT NULL,
    event_id    bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    url         text,
    lane        bigint,
    state       smallint NOT NULL CHECK (state IN (0, 1, 2)),
    due_at      bigint NOT NULL,
    attempt     integer NOT NULL,
    tries       integer NOT NULL,
    owner       text,
    last_status integer,
    last_error  text NOT NULL,
    created_at  bigint NOT NULL,
    finished_at bigint,
    PRIMARY KEY (account_id, id),
    CHECK ((state = 0) = (finished_at IS NULL))
);
CREATE UNIQUE INDEX delivery_event ON delivery (account_id, event_id, endpoint_id);
CREATE INDEX delivery_due ON delivery (account_id, endpoint_id, due_at, event_id) WHERE state = 0;
CREATE INDEX delivery_lane ON delivery (account_id, endpoint_id, lane, event_id) WHERE state = 0 AND lane IS NOT NULL;
CREATE INDEX delivery_exhausted ON delivery (account_id, event_id, endpoint_id) WHERE state = 2;

CREATE TABLE attempt (
    account_id  bigint NOT NULL,
    delivery_id bigint NOT NULL,
    number      integer NOT NULL,
    at          bigint NOT NULL,
    took_ms     integer NOT NULL,
    status      integer,
    error       text NOT NULL,
    snippet     text NOT NULL,
    PRIMARY KEY (account_id, delivery_id, number)
);

-- Kept, not counted: attempts of an endpoint per hour, and how long they took.
CREATE TABLE delivery_tally (
    account_id  bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    hour        bigint NOT NULL,
    delivered   bigint NOT NULL,
    failed      bigint NOT NULL,
    ms_total    bigint NOT NULL,
    to_50_ms    bigint NOT NULL,
    to_250_ms   bigint NOT NULL,
    to_1000_ms  bigint NOT NULL,
    to_5000_ms  bigint NOT NULL,
    longer      bigint NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, hour)
);

-- Rows that are updated a few times and then rest: room on the page keeps the updates from growing the indexes.
ALTER TABLE delivery SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
