-- Taking orders in: what both engines say the same way.

-- name: save_memo
-- The first answer to an Idempotency-Key; nothing when there is one already.
INSERT INTO memo (account_id, key, fingerprint, status, content_type, headers, body, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, key) DO NOTHING

-- name: find_memo
SELECT fingerprint, status, content_type, headers, body, created_at FROM memo
WHERE account_id = ? AND key = ? AND created_at > ?

-- name: forget_memo
-- An answer past its time makes room for a new one under the same key.
DELETE FROM memo WHERE account_id = ? AND key = ? AND created_at <= ?

-- name: forget_memos
DELETE FROM memo WHERE account_id = ? AND created_at <= ?

-- name: add_order_count
INSERT INTO order_count (account_id, mode, dialect, orders) VALUES (?, ?, ?, ?)
ON CONFLICT (account_id, mode, dialect) DO UPDATE SET orders = order_count.orders + excluded.orders

-- name: add_tally
INSERT INTO tally (account_id, mode, hour, dialect, key_id, batches, received, created, updated, unchanged, failed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, mode, hour, dialect, key_id) DO UPDATE SET
    batches = tally.batches + excluded.batches,
    received = tally.received + excluded.received,
    created = tally.created + excluded.created,
    updated = tally.updated + excluded.updated,
    unchanged = tally.unchanged + excluded.unchanged,
    failed = tally.failed + excluded.failed

-- name: add_tally_minute
INSERT INTO tally_minute (
    account_id, mode, minute, dialect, key_id, batches, received, created, updated, unchanged, failed
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, mode, minute, dialect, key_id) DO UPDATE SET
    batches = tally_minute.batches + excluded.batches,
    received = tally_minute.received + excluded.received,
    created = tally_minute.created + excluded.created,
    updated = tally_minute.updated + excluded.updated,
    unchanged = tally_minute.unchanged + excluded.unchanged,
    failed = tally_minute.failed + excluded.failed

-- name: save_batch
INSERT INTO batch (
    account_id, id, mode, dialect, source, key_id, request_id, status, historical, notify_url, origin,
    parent_batch_id, received, created, updated, unchanged, failed, waiting, created_at, updated_at, finished_at,
    size_bytes
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: find_open_batch
-- A batch that still takes chunks.
SELECT id, account_id, mode, dialect, source, key_id, request_id, status, historical, notify_url, origin, parent_batch_id,
    received, created, updated, unchanged, failed, waiting, created_at, updated_at, finished_at, size_bytes
FROM batch WHERE account_id = ? AND id = ? AND mode = ? AND finished_at IS NULL

-- name: grow_batch
-- One chunk more in a batch that is still open, and still as it was read.
UPDATE batch SET
    received = received + ?, created = created + ?, updated = updated + ?, unchanged = unchanged + ?,
    failed = failed + ?, size_bytes = size_bytes + ?, status = ?, updated_at = ?, finished_at = ?
WHERE account_id = ? AND id = ? AND mode = ? AND finished_at IS NULL AND received = ?

-- name: find_number_run_end
-- The last of the numbers that are taken without a gap, from one on; no row where that one is not taken itself.
SELECT o.number FROM orders o
WHERE o.account_id = ? AND o.mode = ? AND o.dialect = ? AND o.source = ? AND o.number >= ? AND NOT EXISTS (
    SELECT 1 FROM orders n
    WHERE n.account_id = o.account_id AND n.mode = o.mode AND n.dialect = o.dialect AND n.source = o.source
        AND n.number = o.number + 1
) AND EXISTS (
    SELECT 1 FROM orders f
    WHERE f.account_id = ? AND f.mode = ? AND f.dialect = ? AND f.source = ? AND f.number = ?
)
ORDER BY o.number LIMIT 1
