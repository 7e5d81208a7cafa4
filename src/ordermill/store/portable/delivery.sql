-- Events out: what both engines say the same way.

-- name: find_listeners
-- Who of an account and mode may want to hear of something.
SELECT id, account_id, mode, kind, url, description, events, format, ordering, state, reason, secret, old_secret,
    old_secret_until, created_at, changed_at, last_success_at, last_failure_at, failing_since, last_error
FROM endpoint WHERE account_id = ? AND mode = ? AND state <> 'deleted' AND kind <> 'notify' ORDER BY id

-- name: find_endpoints
SELECT id, account_id, mode, kind, url, description, events, format, ordering, state, reason, secret, old_secret,
    old_secret_until, created_at, changed_at, last_success_at, last_failure_at, failing_since, last_error
FROM endpoint WHERE account_id = ? AND mode = ? AND state <> 'deleted' ORDER BY id

-- name: find_endpoint
SELECT id, account_id, mode, kind, url, description, events, format, ordering, state, reason, secret, old_secret,
    old_secret_until, created_at, changed_at, last_success_at, last_failure_at, failing_since, last_error
FROM endpoint WHERE account_id = ? AND id = ?

-- name: find_host
-- The endpoint that stands for a host of notifyUrl addresses.
SELECT id, account_id, mode, kind, url, description, events, format, ordering, state, reason, secret, old_secret,
    old_secret_until, created_at, changed_at, last_success_at, last_failure_at, failing_since, last_error
FROM endpoint WHERE account_id = ? AND mode = ? AND url = ? AND kind = 'notify'

-- name: save_endpoint
INSERT INTO endpoint (
    id, account_id, mode, kind, url, description, events, format, ordering, state, reason, secret, old_secret,
    old_secret_until, created_at, changed_at
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: change_endpoint
-- Only what is still as it was read.
UPDATE endpoint SET url = ?, description = ?, events = ?, format = ?, ordering = ?, state = ?, reason = ?, secret = ?,
    old_secret = ?, old_secret_until = ?, failing_since = ?, changed_at = ?
WHERE account_id = ? AND id = ? AND changed_at = ? AND state <> 'deleted'

-- name: update_health
UPDATE endpoint SET last_success_at = ?, last_failure_at = ?, failing_since = ?, last_error = ?
WHERE account_id = ? AND id = ?

-- name: disable_endpoint
UPDATE endpoint SET state = 'disabled', reason = ?, changed_at = ?
WHERE account_id = ? AND id = ? AND state IN ('active', 'paused')

-- name: find_busy
-- Active endpoints with something due, whichever account's. Costs one look into an index per endpoint, however much
-- waits. A host of notifyUrl addresses is signed for with the account's own secret.
SELECT e.id, e.account_id, e.mode, e.kind, e.url, e.description, e.events, e.format, e.ordering, e.state, e.reason,
    CASE WHEN e.kind = 'notify' THEN coalesce(a.notify_secret, '') ELSE e.secret END,
    CASE WHEN e.kind = 'notify' THEN a.old_notify_secret ELSE e.old_secret END,
    CASE WHEN e.kind = 'notify' THEN a.old_notify_secret_until ELSE e.old_secret_until END, e.created_at, e.changed_at, e.last_success_at, e.last_failure_at, e.failing_since, e.last_error
FROM endpoint e LEFT JOIN account a ON a.id = e.account_id
WHERE e.state = 'active' AND EXISTS (
    SELECT 1 FROM delivery d
    WHERE d.account_id = e.account_id AND d.endpoint_id = e.id AND d.state = 0 AND d.due_at <= ?
)

-- name: release_all
-- For a process that knows that it is the only one: what a crash left claimed is due.
UPDATE delivery SET owner = NULL, due_at = ? WHERE state = 0 AND owner IS NOT NULL AND owner <> ?

-- name: find_due
-- The last column: until when an older delivery of the same lane is ahead, NULL when none is.
SELECT d.id, d.account_id, d.endpoint_id, d.attempt, d.tries, d.lane, d.url,
    v.id, v.account_id, v.mode, v.type, v.dialect, v.order_id, v.item_id, v.batch_id, v.created_at, v.body, d.due_at,
    (SELECT p.due_at FROM delivery p
        WHERE p.account_id = d.account_id AND p.endpoint_id = d.endpoint_id AND p.lane = d.lane AND p.state = 0
            AND p.event_id < d.event_id ORDER BY p.event_id LIMIT 1)
FROM delivery d JOIN event v ON v.account_id = d.account_id AND v.id = d.event_id
WHERE d.account_id = ? AND d.endpoint_id = ? AND d.state = 0 AND d.due_at <= ?
ORDER BY d.due_at, d.event_id LIMIT ?

-- name: find_claim
-- One delivery that nobody holds, with all it takes to send it, whether it is due or not.
SELECT d.id, d.account_id, d.endpoint_id, d.attempt, d.tries, d.lane, d.url,
    v.id, v.account_id, v.mode, v.type, v.dialect, v.order_id, v.item_id, v.batch_id, v.created_at, v.body, d.due_at, NULL
FROM delivery d JOIN event v ON v.account_id = d.account_id AND v.id = d.event_id
WHERE d.account_id = ? AND d.id = ? AND d.owner IS NULL

-- name: add_delivery_tally
INSERT INTO delivery_tally (
    account_id, endpoint_id, hour, delivered, failed, ms_total, to_50_ms, to_250_ms, to_1000_ms, to_5000_ms, longer
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, endpoint_id, hour) DO UPDATE SET
    delivered = delivery_tally.delivered + excluded.delivered,
    failed = delivery_tally.failed + excluded.failed,
    ms_total = delivery_tally.ms_total + excluded.ms_total,
    to_50_ms = delivery_tally.to_50_ms + excluded.to_50_ms,
    to_250_ms = delivery_tally.to_250_ms + excluded.to_250_ms,
    to_1000_ms = delivery_tally.to_1000_ms + excluded.to_1000_ms,
    to_5000_ms = delivery_tally.to_5000_ms + excluded.to_5000_ms,
    longer = delivery_tally.longer + excluded.longer

-- name: find_delivery_tally
SELECT coalesce(sum(delivered), 0), coalesce(sum(failed), 0), coalesce(sum(ms_total), 0), coalesce(sum(to_50_ms), 0),
    coalesce(sum(to_250_ms), 0), coalesce(sum(to_1000_ms), 0), coalesce(sum(to_5000_ms), 0), coalesce(sum(longer), 0)
FROM delivery_tally WHERE account_id = ? AND endpoint_id = ? AND hour > ?

-- name: count_pending
SELECT count(*), min(due_at) FROM delivery WHERE account_id = ? AND endpoint_id = ? AND state = 0

-- name: count_exhausted
SELECT count(*) FROM delivery WHERE account_id = ? AND endpoint_id = ? AND state = 2

-- name: count_events_since
SELECT count(*) FROM event WHERE account_id = ? AND mode = ? AND created_at >= ?

-- name: oldest_pending
-- Since when the oldest delivery of an active endpoint is due.
SELECT min(d.due_at) FROM endpoint e JOIN delivery d ON d.account_id = e.account_id AND d.endpoint_id = e.id
WHERE e.state = 'active' AND d.state = 0 AND d.due_at <= ?

-- name: count_disabled
SELECT count(*) FROM endpoint WHERE state = 'disabled'

-- name: drop_pending
-- A deleted endpoint is owed nothing any more.
UPDATE delivery SET state = 2, finished_at = ?, owner = NULL, last_error = 'endpoint_deleted'
WHERE account_id = ? AND endpoint_id = ? AND state = 0

-- name: hasten
-- Whatever waits for its next attempt is due now.
UPDATE delivery SET due_at = ? WHERE account_id = ? AND endpoint_id = ? AND state = 0 AND owner IS NULL AND due_at > ?

-- name: reopen
-- Owed once more, from the first delay on; unless an attempt is under way, or its event was erased.
UPDATE delivery SET state = 0, due_at = ?, tries = 0, owner = NULL, finished_at = NULL
WHERE account_id = ? AND id = ? AND owner IS NULL AND NOT EXISTS (
    SELECT 1 FROM event v WHERE v.account_id = delivery.account_id AND v.id = delivery.event_id AND v.body = ?)

-- name: find_delivery
SELECT d.id, d.account_id, d.mode, d.event_id, d.endpoint_id, d.url, d.lane, d.state, d.due_at, d.attempt, d.tries, d.owner,
    d.last_status, d.last_error, d.created_at, d.finished_at, v.type, v.created_at
FROM delivery d JOIN event v ON v.account_id = d.account_id AND v.id = d.event_id
WHERE d.account_id = ? AND d.mode = ? AND d.id = ?

-- name: find_deliveries
SELECT d.id, d.account_id, d.mode, d.event_id, d.endpoint_id, d.url, d.lane, d.state, d.due_at, d.attempt, d.tries, d.owner,
    d.last_status, d.last_error, d.created_at, d.finished_at, v.type, v.created_at
FROM delivery d JOIN event v ON v.account_id = d.account_id AND v.id = d.event_id
WHERE d.account_id = ? AND d.mode = ?{filters}

-- name: delivery.pending
d.state = 0
-- name: delivery.delivered
d.state = 1
-- name: delivery.exhausted
d.state = 2
-- name: delivery.endpoint
d.endpoint_id = ?
-- name: delivery.event
d.event_id = ?
-- name: delivery.type
v.type = ?
-- name: delivery.order
d.event_id IN (SELECT w.id FROM event w WHERE w.account_id = ? AND w.order_id = ?)
-- name: delivery.batch
d.event_id IN (SELECT w.id FROM event w WHERE w.account_id = ? AND w.batch_id = ?)
-- name: delivery.error
d.last_error LIKE ?
-- name: delivery.created_after
d.created_at > ?
-- name: delivery.created_before
d.created_at < ?
-- name: delivery.behind
(d.event_id, d.endpoint_id) < (?, ?)
-- name: delivery.newest
ORDER BY d.event_id DESC, d.endpoint_id DESC LIMIT ?
-- name: delivery.newest_of_few
-- What waits is a small part of all there is: found by the index of what waits, then sorted.
ORDER BY d.event_id + 0 DESC, d.endpoint_id + 0 DESC LIMIT ?

-- name: find_attempts
SELECT delivery_id, number, at, took_ms, status, error, snippet FROM attempt
WHERE account_id = ? AND delivery_id = ? ORDER BY number

-- name: find_event
SELECT id, account_id, mode, type, dialect, order_id, item_id, batch_id, created_at, body
FROM event WHERE account_id = ? AND mode = ? AND id = ?

-- name: find_events
SELECT v.id, v.account_id, v.mode, v.type, v.dialect, v.order_id, v.item_id, v.batch_id, v.created_at, v.body
FROM event v WHERE v.account_id = ? AND v.mode = ?{filters}

-- name: event.type
v.type = ?
-- name: event.order
v.order_id = ?
-- name: event.batch
v.batch_id = ?
-- name: event.created_after
v.created_at > ?
-- name: event.created_before
v.created_at < ?
-- name: event.behind
(v.created_at, v.id) < (?, ?)
-- name: event.newest
ORDER BY v.created_at DESC, v.id DESC LIMIT ?
-- name: event.newest_of
-- Of one order or batch: there the numbers follow the instants.
ORDER BY v.id DESC LIMIT ?

-- name: find_recoverable
-- Events since an instant, in their order, with what became of each at one endpoint.
SELECT v.id, v.account_id, v.mode, v.type, v.dialect, v.order_id, v.item_id, v.batch_id, v.created_at, v.body, d.id, d.state
FROM event v
LEFT JOIN delivery d ON d.account_id = v.account_id AND d.event_id = v.id AND d.endpoint_id = ?
WHERE v.account_id = ? AND v.mode = ? AND (v.created_at, v.id) > (?, ?)
ORDER BY v.created_at, v.id LIMIT ?

-- name: find_notification
-- What became of the one call that a batch's notifyUrl is owed.
SELECT d.state FROM event v
JOIN delivery d ON d.account_id = v.account_id AND d.event_id = v.id
WHERE v.account_id = ? AND v.mode = ? AND v.batch_id = ? AND v.order_id IS NULL AND d.url IS NOT NULL

-- name: find_cutoff
-- Up to which instant a pass of the retention goes.
SELECT created_at FROM event WHERE account_id = ? AND created_at < ? ORDER BY created_at LIMIT 1 OFFSET ?

-- name: forget_attempts
DELETE FROM attempt WHERE account_id = ? AND delivery_id IN (
    SELECT d.id FROM event v JOIN delivery d ON d.account_id = v.account_id AND d.event_id = v.id
    WHERE v.account_id = ? AND v.created_at <= ?
)

-- name: forget_deliveries
DELETE FROM delivery WHERE account_id = ? AND event_id IN (
    SELECT v.id FROM event v WHERE v.account_id = ? AND v.created_at <= ?
)

-- name: forget_events
DELETE FROM event WHERE account_id = ? AND created_at <= ?

-- name: forget_hosts
-- Hosts of notifyUrl addresses, and deleted endpoints, that nothing is owed to any more and no log speaks of.
DELETE FROM endpoint WHERE account_id = ? AND (kind = 'notify' OR state = 'deleted') AND changed_at < ? AND id NOT IN (
    SELECT d.endpoint_id FROM delivery d WHERE d.account_id = ?
)

-- name: find_order_at
-- An order with the document that one of its versions brought.
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, i.document
FROM orders o LEFT JOIN item i ON i.account_id = o.account_id AND i.id = ?
WHERE o.account_id = ? AND o.mode = ? AND o.id = ?
