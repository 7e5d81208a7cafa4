-- Reading back, where PostgreSQL wants it said its own way. Lists travel as JSON text on both engines.

-- name: find_shown
-- The orders of a page, in any order, with their documents.
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, i.document
FROM orders o JOIN item i ON i.account_id = o.account_id AND i.id = o.document_item
WHERE o.id = ANY(?::bigint[]) AND o.account_id = ?

-- name: order.ids
o.id IN (SELECT value::bigint FROM json_array_elements_text(?::json))
-- name: order.sources
o.source IN (SELECT value FROM json_array_elements_text(?::json))
-- name: order.references
o.id IN (SELECT n.id FROM orders n
    WHERE n.account_id = ? AND n.reference IN (SELECT value FROM json_array_elements_text(?::json)))
-- name: order.statuses
o.status IN (SELECT value FROM json_array_elements_text(?::json))
-- name: batch.statuses
b.status IN (SELECT value FROM json_array_elements_text(?::json))
-- name: item.outcomes
i.outcome IN (SELECT value::smallint FROM json_array_elements_text(?::json))

-- name: find_named_ids
-- Of orders that a filter names; the other engine needs other words for it.
SELECT o.id FROM orders o WHERE o.account_id = ? AND o.mode = ?{filters}

-- name: find_named_heads
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, NULL
FROM orders o
WHERE o.account_id = ? AND o.mode = ?{filters}

-- name: count_named
SELECT count(*) FROM orders o WHERE o.account_id = ? AND o.mode = ?{filters}
