-- Events out: sets of rows, as arrays.

-- name: save_events
INSERT INTO event (id, account_id, mode, type, dialect, order_id, item_id, batch_id, created_at, body)
SELECT * FROM unnest(
    ?::bigint[], ?::bigint[], ?::smallint[], ?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[],
    ?::bytea[]
)

-- name: save_deliveries
INSERT INTO delivery (
    id, account_id, mode, event_id, endpoint_id, url, lane, state, due_at, attempt, tries, owner, last_error, created_at
)
SELECT * FROM unnest(
    ?::bigint[], ?::bigint[], ?::smallint[], ?::bigint[], ?::bigint[], ?::text[], ?::bigint[], ?::smallint[],
    ?::bigint[], ?::integer[], ?::integer[], ?::text[], ?::text[], ?::bigint[]
) ON CONFLICT DO NOTHING

-- name: claim_deliveries
-- Only as it was seen: who held it may have put it off meanwhile, late and under the same number of attempts.
UPDATE delivery SET attempt = delivery.attempt + 1, owner = v.owner, due_at = v.until
FROM unnest(
    ?::bigint[], ?::bigint[], ?::integer[], ?::bigint[], ?::text[], ?::bigint[]
) AS v (account_id, id, attempt, seen, owner, until)
WHERE delivery.account_id = v.account_id AND delivery.id = v.id AND delivery.attempt = v.attempt
    AND delivery.due_at = v.seen AND delivery.state = 0
RETURNING delivery.id

-- name: settle_deliveries
-- Zero rows back for one: somebody else has it by now, or it was settled otherwise.
UPDATE delivery SET owner = NULL, state = v.state, due_at = v.due_at, tries = v.tries, last_status = v.last_status,
    last_error = v.last_error, finished_at = v.finished_at
FROM unnest(
    ?::bigint[], ?::bigint[], ?::text[], ?::integer[], ?::smallint[], ?::bigint[], ?::integer[], ?::integer[], ?::text[],
    ?::bigint[]
) AS v (account_id, id, owner, attempt, state, due_at, tries, last_status, last_error, finished_at)
WHERE delivery.account_id = v.account_id AND delivery.id = v.id AND delivery.owner = v.owner
    AND delivery.attempt = v.attempt AND delivery.state = 0
RETURNING delivery.id

-- name: release_deliveries
UPDATE delivery SET owner = NULL, due_at = v.due_at
FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::integer[], ?::bigint[]) AS v (account_id, id, owner, attempt, due_at)
WHERE delivery.account_id = v.account_id AND delivery.id = v.id AND delivery.owner = v.owner
    AND delivery.attempt = v.attempt AND delivery.state = 0

-- name: park_deliveries
-- Only where nothing has happened since it was looked at.
UPDATE delivery SET due_at = v.until
FROM unnest(?::bigint[], ?::bigint[], ?::integer[], ?::bigint[], ?::bigint[]) AS v (account_id, id, attempt, seen, until)
WHERE delivery.account_id = v.account_id AND delivery.id = v.id AND delivery.attempt = v.attempt
    AND delivery.due_at = v.seen AND delivery.state = 0

-- name: wake_lanes
-- The next one of a lane, parked or not: who parks it at this moment must see that something has happened.
UPDATE delivery SET due_at = v.now
FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[]) AS v (account_id, endpoint_id, lane, now)
WHERE delivery.account_id = v.account_id AND delivery.id = (
    SELECT p.id FROM delivery p WHERE p.account_id = v.account_id AND p.endpoint_id = v.endpoint_id AND p.lane = v.lane
        AND p.state = 0 ORDER BY p.event_id LIMIT 1
) AND delivery.owner IS NULL AND delivery.tries = 0

-- name: save_attempts
INSERT INTO attempt (account_id, delivery_id, number, at, took_ms, status, error, snippet)
SELECT * FROM unnest(
    ?::bigint[], ?::bigint[], ?::integer[], ?::bigint[], ?::integer[], ?::integer[], ?::text[], ?::text[]
) ON CONFLICT DO NOTHING
