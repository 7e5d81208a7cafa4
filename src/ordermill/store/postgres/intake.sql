-- Taking orders in: sets of rows, as arrays. Sorted by key before they come here, so that two batches never deadlock.

-- name: reserve
-- Runs on a connection of its own, committed at once: numbers are never waited for. See PostgresTransaction.reserve.
INSERT INTO counter (account_id, name, next) VALUES (?, ?, 1 + ?)
ON CONFLICT (account_id, name) DO UPDATE SET next = counter.next + excluded.next - 1
RETURNING next

-- name: enter
-- Every settlement is in its account beside others, until it ends.
SELECT 1 FROM pg_advisory_xact_lock_shared(? * 2 + ?)

-- name: enter_alone
-- Who has lost a race waits until nobody else is in the account, and cannot lose another.
SELECT 1 FROM pg_advisory_xact_lock(? * 2 + ?)

-- name: find_current
-- The orders that hold one of the keys. A LATERAL with a LIMIT is looked up key by key, through the index, whatever the
-- planner believes: before the first ANALYZE it takes an account for one row, and would compare everything with everything.
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, NULL
FROM unnest(?::text[], ?::text[], ?::text[]) AS k (dialect, source, reference)
CROSS JOIN LATERAL (
    SELECT * FROM orders
    WHERE account_id = ? AND mode = ? AND dialect = k.dialect AND source = k.source AND reference = k.reference
        AND retired = 0
    LIMIT 1
) o

-- name: find_contacts
SELECT k.kind, k.value, c.contact_id
FROM unnest(?::text[], ?::text[]) AS k (kind, value)
CROSS JOIN LATERAL (
    SELECT contact_id FROM contact_identifier
    WHERE account_id = ? AND mode = ? AND kind = k.kind AND value = k.value
    LIMIT 1
) c

-- name: save_contacts
-- Runs on a connection of its own, all or nothing, committed at once. See PostgresTransaction.run_aside.
INSERT INTO contact_identifier (kind, value, contact_id, account_id, mode)
SELECT * FROM unnest(?::text[], ?::text[], ?::bigint[]) AS v, (VALUES (?::bigint, ?::smallint)) AS fixed

-- name: save_orders
-- A key that somebody else took meanwhile is an error, and is taken for a lost race as well: looking first costs a tenth.
INSERT INTO orders (
    id, dialect, source, reference, retired, revision, status, placed_at, updated_at, amount, currency, contact_id,
    content_hash, request_id, number, document_item, account_id, mode, received_at, changed_at
)
SELECT v.*, fixed.account_id, fixed.mode, fixed.now, fixed.now
FROM unnest(
    ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::integer[], ?::text[], ?::bigint[], ?::bigint[],
    ?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::text[], ?::bigint[], ?::bigint[]
) AS v, (VALUES (?::bigint, ?::smallint, ?::bigint)) AS fixed (account_id, mode, now)

-- name: lock_orders
-- In the order of the ids, whoever asks: an UPDATE of many rows locks them in any order it likes.
SELECT o.id FROM orders o WHERE o.id = ANY(?::bigint[]) AND o.account_id = ? ORDER BY o.id FOR UPDATE

-- name: update_orders
-- Only what is still the version that was read.
UPDATE orders SET
    retired = v.retired, revision = v.new_revision, status = v.status, placed_at = v.placed_at,
    updated_at = v.updated_at, changed_at = v.changed_at, amount = v.amount, currency = v.currency,
    contact_id = v.contact_id, content_hash = v.content_hash, document_item = v.document_item
FROM unnest(
    ?::bigint[], ?::integer[], ?::integer[], ?::bigint[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[],
    ?::text[], ?::bigint[], ?::bigint[], ?::bigint[]
) AS v (id, revision, new_revision, retired, status, placed_at, updated_at, changed_at, amount, currency, contact_id,
    content_hash, document_item)
WHERE orders.account_id = ? AND orders.id = v.id AND orders.revision = v.revision

-- name: save_items
INSERT INTO item (id, key, outcome, order_id, revision, updated_at, document, account_id, at)
SELECT *
FROM unnest(
    ?::bigint[], ?::text[], ?::smallint[], ?::bigint[], ?::integer[], ?::bigint[], ?::text[]
) AS v, (VALUES (?::bigint, ?::bigint)) AS fixed

-- name: save_failed_items
INSERT INTO item (id, key, reference, code, field, problems, document, account_id, at, outcome)
SELECT *, 5
FROM unnest(
    ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[]
) AS v, (VALUES (?::bigint, ?::bigint)) AS fixed
