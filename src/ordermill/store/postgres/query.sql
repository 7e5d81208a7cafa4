-- Reading back, where PostgreSQL wants it said its own way. Lists travel as JSON text on both engines.

-- name: order.ids
o.id IN (SELECT value::bigint FROM json_array_elements_text(?::json))
-- name: order.sources
o.source IN (SELECT value FROM json_array_elements_text(?::json))
-- name: order.references
o.reference IN (SELECT value FROM json_array_elements_text(?::json))
-- name: order.statuses
o.status IN (SELECT value FROM json_array_elements_text(?::json))
-- name: batch.statuses
b.status IN (SELECT value FROM json_array_elements_text(?::json))
-- name: item.outcomes
i.outcome IN (SELECT value::smallint FROM json_array_elements_text(?::json))
