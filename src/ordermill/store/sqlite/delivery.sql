-- Events out: sets of rows, as multi-row VALUES.

-- name: save_events
INSERT INTO event (id, account_id, mode, type, dialect, order_id, item_id, batch_id, created_at, body) VALUES {rows}

-- name: save_deliveries
INSERT INTO delivery (
    id, account_id, mode, event_id, endpoint_id, url, lane, state, due_at, attempt, tries, owner, last_error, created_at
) VALUES {rows} ON CONFLICT DO NOTHING

-- name: claim_deliveries
-- Only as it was seen: who held it may have put it off meanwhile, late and under the same number of attempts.
UPDATE delivery SET attempt = delivery.attempt + 1, owner = v.column5, due_at = v.column6
FROM (VALUES {rows}) AS v
WHERE delivery.account_id = v.column1 AND delivery.id = v.column2 AND delivery.attempt = v.column3
    AND delivery.due_at = v.column4 AND delivery.state = 0
RETURNING id

-- name: settle_deliveries
-- Zero rows back for one: somebody else has it by now, or it was settled otherwise.
UPDATE delivery SET owner = NULL, state = v.column5, due_at = v.column6, tries = v.column7, last_status = v.column8,
    last_error = v.column9, finished_at = v.column10
FROM (VALUES {rows}) AS v
WHERE delivery.account_id = v.column1 AND delivery.id = v.column2 AND delivery.owner = v.column3
    AND delivery.attempt = v.column4 AND delivery.state = 0
RETURNING id

-- name: release_deliveries
UPDATE delivery SET owner = NULL, due_at = v.column5
FROM (VALUES {rows}) AS v
WHERE delivery.account_id = v.column1 AND delivery.id = v.column2 AND delivery.owner = v.column3
    AND delivery.attempt = v.column4 AND delivery.state = 0

-- name: park_deliveries
-- Only where nothing has happened since it was looked at.
UPDATE delivery SET due_at = v.column5
FROM (VALUES {rows}) AS v
WHERE delivery.account_id = v.column1 AND delivery.id = v.column2 AND delivery.attempt = v.column3
    AND delivery.due_at = v.column4 AND delivery.state = 0

-- name: wake_lanes
-- The next one of a lane, parked or not: who parks it at this moment must see that something has happened.
UPDATE delivery SET due_at = v.column4
FROM (VALUES {rows}) AS v
WHERE delivery.id = (
    SELECT p.id FROM delivery p WHERE p.account_id = v.column1 AND p.endpoint_id = v.column2 AND p.lane = v.column3
        AND p.state = 0 ORDER BY p.event_id LIMIT 1
) AND delivery.owner IS NULL AND delivery.tries = 0

-- name: save_attempts
INSERT INTO attempt (account_id, delivery_id, number, at, took_ms, status, error, snippet) VALUES {rows}
ON CONFLICT DO NOTHING

-- name: find_notification
-- CROSS JOIN pins the loop: by the batch's events, never over all deliveries of the account.
SELECT d.state FROM event v
CROSS JOIN delivery d ON d.account_id = v.account_id AND d.event_id = v.id
WHERE v.account_id = ? AND v.mode = ? AND v.batch_id = ? AND v.order_id IS NULL AND d.url IS NOT NULL
