-- Reading back, where SQLite wants it said its own way.

-- name: order.ids
o.id IN (SELECT value FROM json_each(?))
-- name: order.sources
o.source IN (SELECT value FROM json_each(?))
-- name: order.references
o.reference IN (SELECT value FROM json_each(?))
-- name: order.statuses
o.status IN (SELECT value FROM json_each(?))
-- name: batch.statuses
b.status IN (SELECT value FROM json_each(?))
-- name: item.outcomes
i.outcome IN (SELECT value FROM json_each(?))
