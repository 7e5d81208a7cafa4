-- Reading back, where SQLite wants it said its own way.

-- name: find_shown
-- The orders of a page, in any order, with their documents.
WITH k (id) AS (VALUES {rows})
SELECT json_group_array(json_array(
    o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, i.document
)) AS packed
FROM k CROSS JOIN orders o JOIN item i ON i.account_id = o.account_id AND i.id = o.document_item
WHERE o.account_id = ? AND o.id = k.id

-- name: order.ids
o.id IN (SELECT value FROM json_each(?))
-- name: order.sources
o.source IN (SELECT value FROM json_each(?))
-- name: order.references
o.id IN (SELECT n.id FROM orders n WHERE n.account_id = ? AND n.reference IN (SELECT value FROM json_each(?)))
-- name: order.statuses
o.status IN (SELECT value FROM json_each(?))
-- name: batch.statuses
b.status IN (SELECT value FROM json_each(?))
-- name: item.outcomes
i.outcome IN (SELECT value FROM json_each(?))

-- name: find_named_ids
-- Of orders that a filter names: the plus signs keep the planner from walking the whole list to pick them.
SELECT o.id FROM orders o WHERE +o.account_id = ? AND +o.mode = ?{filters}

-- name: find_named_heads
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, NULL
FROM orders o
WHERE +o.account_id = ? AND +o.mode = ?{filters}

-- name: count_named
SELECT count(*) FROM orders o WHERE +o.account_id = ? AND +o.mode = ?{filters}
