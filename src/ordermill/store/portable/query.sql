-- Reading back. Every statement asks for the account; a foreign id is simply not found.

-- name: find_order
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, i.document
FROM orders o JOIN item i ON i.account_id = o.account_id AND i.id = o.document_item
WHERE o.account_id = ? AND o.mode = ? AND o.id = ?

-- name: find_order_by_key
-- The holder of the key first, else the newest of those that held it.
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, i.document
FROM orders o JOIN item i ON i.account_id = o.account_id AND i.id = o.document_item
WHERE o.account_id = ? AND o.mode = ? AND o.dialect = ? AND o.source = ? AND o.reference = ?
ORDER BY CASE WHEN o.retired = 0 THEN 0 ELSE 1 END, o.id DESC
LIMIT 1

-- name: find_order_ids
-- Which orders a page shows: what is passed over on the way there is read from an index, never from a table.
SELECT o.id FROM orders o WHERE o.account_id = ? AND o.mode = ?{filters}

-- name: find_order_heads
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, NULL
FROM orders o
WHERE o.account_id = ? AND o.mode = ?{filters}

-- name: count_orders
SELECT count(*) FROM orders o WHERE o.account_id = ? AND o.mode = ?{filters}

-- name: order_count
SELECT coalesce(sum(orders), 0) FROM order_count WHERE account_id = ? AND mode = ? AND dialect = ?

-- name: order_count_all
SELECT coalesce(sum(orders), 0) FROM order_count WHERE account_id = ? AND mode = ?

-- name: order.dialect
o.dialect = ?
-- name: order.source
o.source = ?
-- What names few orders is looked up on its own: among other conditions a planner without statistics would walk the
-- whole list in its order instead, and pick.
-- name: order.reference
o.id IN (SELECT n.id FROM orders n WHERE n.account_id = ? AND n.reference = ?)
-- name: order.id
o.id = ?
-- name: order.status
o.status = ?
-- name: order.status_not
o.status <> ?
-- name: order.placed_after
o.placed_at > ?
-- name: order.placed_before
o.placed_at < ?
-- name: order.updated_after
o.updated_at > ?
-- name: order.updated_before
o.updated_at < ?
-- name: order.received_after
o.received_at > ?
-- name: order.received_before
o.received_at < ?
-- name: order.contact
o.id IN (SELECT n.id FROM orders n WHERE n.account_id = ? AND n.contact_id = ?)
-- name: order.identifier
o.id IN (SELECT n.id FROM contact_identifier c CROSS JOIN orders n
    WHERE c.account_id = ? AND c.mode = ? AND c.kind = ? AND c.value = ?
        AND n.account_id = c.account_id AND n.contact_id = c.contact_id)
-- name: order.request
o.id IN (SELECT n.id FROM orders n WHERE n.account_id = ? AND n.request_id = ?)
-- name: order.id_below
o.id < ?
-- name: order.id_above
o.id > ?

-- Conditions every order meets: they name the index for a sort, see the indexes for lists in the schema.
-- name: order.listed_received
o.id > 0
-- name: order.listed_placed
o.placed_at > -9223372036854775808
-- name: order.listed_number
o.number IS NOT NULL

-- name: order.by_received
ORDER BY o.id LIMIT ? OFFSET ?
-- name: order.by_received_desc
ORDER BY o.id DESC LIMIT ? OFFSET ?
-- name: order.by_placed
-- Where nothing is asked of orders of one instant, in the order of the index: another one costs eight times as much.
ORDER BY o.placed_at, o.updated_at, o.id LIMIT ? OFFSET ?
-- name: order.by_placed_desc
ORDER BY o.placed_at DESC, o.updated_at DESC, o.id DESC LIMIT ? OFFSET ?
-- name: order.by_placed_updated
ORDER BY o.placed_at, o.updated_at, o.id LIMIT ? OFFSET ?
-- name: order.by_placed_updated_desc
ORDER BY o.placed_at DESC, o.updated_at DESC, o.id DESC LIMIT ? OFFSET ?
-- name: order.by_number
ORDER BY o.number, o.id LIMIT ? OFFSET ?
-- name: order.by_number_desc
ORDER BY o.number DESC, o.id DESC LIMIT ? OFFSET ?

-- name: find_revisions
-- An order has the id of the item that brought it; only the later ones stand in an index.
SELECT i.id, i.order_id, i.revision, i.outcome, i.updated_at, i.at, i.document, coalesce(b.historical, 0), b.id
FROM item i LEFT JOIN batch b ON b.account_id = i.account_id AND b.id = i.id >> 24
WHERE i.account_id = ? AND i.updated_at IS NOT NULL AND i.id IN (
    SELECT id FROM item WHERE account_id = ? AND id = ?
    UNION ALL SELECT id FROM item WHERE account_id = ? AND order_id = ? AND order_id <> id AND updated_at IS NOT NULL
)
ORDER BY i.id

-- name: find_batch
SELECT id, account_id, mode, dialect, source, key_id, request_id, status, historical, notify_url, origin, parent_batch_id,
    received, created, updated, unchanged, failed, waiting, created_at, updated_at, finished_at, size_bytes
FROM batch WHERE account_id = ? AND mode = ? AND id = ?

-- name: find_batches
SELECT id, account_id, mode, dialect, source, key_id, request_id, status, historical, notify_url, origin, parent_batch_id,
    received, created, updated, unchanged, failed, waiting, created_at, updated_at, finished_at, size_bytes
FROM batch b WHERE b.account_id = ? AND b.mode = ?{filters}

-- name: count_batches
SELECT count(*) FROM batch b WHERE b.account_id = ? AND b.mode = ?{filters}

-- name: batch.dialect
b.dialect = ?
-- name: batch.key
b.key_id = ?
-- name: batch.origin
b.origin = ?
-- name: batch.parent
b.parent_batch_id = ?
-- name: batch.created_after
b.created_at > ?
-- name: batch.created_before
b.created_at < ?
-- name: batch.failures
b.failed > 0
-- name: batch.no_failures
b.failed = 0
-- name: batch.id_below
b.id < ?
-- name: batch.id_above
b.id > ?
-- name: batch.newest
ORDER BY b.id DESC LIMIT ? OFFSET ?
-- name: batch.oldest
ORDER BY b.id LIMIT ? OFFSET ?

-- name: find_items
SELECT i.id, i.account_id, i.key, i.outcome, coalesce(i.reference, o.reference, ''), i.order_id, i.revision, i.problems, i.document
FROM item i LEFT JOIN orders o ON o.account_id = i.account_id AND o.id = i.order_id
WHERE i.account_id = ? AND i.id > ? AND i.id < ?{filters}

-- name: find_item_heads
SELECT i.id, i.account_id, i.key, i.outcome, coalesce(i.reference, o.reference, ''), i.order_id, i.revision, i.problems, NULL
FROM item i LEFT JOIN orders o ON o.account_id = i.account_id AND o.id = i.order_id
WHERE i.account_id = ? AND i.id > ? AND i.id < ?{filters}

-- name: item.failed
i.outcome = 5
-- name: item.code
i.code = ?
-- name: item.field
i.field = ?
-- name: item.by_position
ORDER BY i.id LIMIT ?

-- name: find_causes
-- The failed items of a batch by code and field, the most frequent first, with the first of each as the example.
SELECT c.code, c.field, c.items, i.id, i.key, i.problems
FROM (
    SELECT code, field, count(*) AS items, min(id) AS first FROM item
    WHERE account_id = ? AND outcome = 5 AND id >= ? AND id < ? GROUP BY code, field
) c JOIN item i ON i.account_id = ? AND i.id = c.first
ORDER BY c.items DESC, c.first

-- name: find_identifiers
SELECT kind, value FROM contact_identifier WHERE account_id = ? AND contact_id = ? ORDER BY kind, value
