-- Forgetting a person.

-- name: find_contacts_named
SELECT contact_id FROM contact_identifier WHERE account_id = ? AND mode = ? AND kind = ? AND value = ?
-- name: find_orders_of_contact
SELECT id FROM orders WHERE account_id = ? AND mode = ? AND contact_id = ?
-- name: find_identifiers_of_contact
SELECT kind, value FROM contact_identifier WHERE account_id = ? AND mode = ? AND contact_id = ?

-- name: erasing_reach
-- The item up to which the next slice of the search goes.
SELECT max(id) FROM (SELECT id FROM item WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?) AS slice
-- name: find_items_mentioning
-- Candidates: where the value may stand in what was sent or in what was said of it. Whether it does, says who reads them.
SELECT i.id, i.order_id, i.document, i.problems, i.key FROM item i
LEFT JOIN orders o ON o.account_id = i.account_id AND o.id = i.order_id
LEFT JOIN batch b ON b.account_id = i.account_id AND b.id = i.id >> 24
WHERE i.account_id = ? AND i.id > ? AND i.id <= ? AND coalesce(o.mode, b.mode) = ? AND (
    lower(i.document) LIKE ? ESCAPE '!' OR lower(i.problems) LIKE ? ESCAPE '!' OR lower(i.key) LIKE ? ESCAPE '!')

-- name: find_items_of_order
SELECT id FROM item WHERE account_id = ? AND order_id = ?

-- name: empty_item
UPDATE item SET document = NULL, key = NULL, problems = CASE WHEN problems IS NULL THEN NULL ELSE ? END
WHERE account_id = ? AND id = ?
-- name: rewrite_item
UPDATE item SET document = ?, key = NULL WHERE account_id = ? AND id = (
    SELECT o.document_item FROM orders o WHERE o.account_id = ? AND o.id = ?)
-- name: forget_contact_of_order
UPDATE orders SET contact_id = NULL WHERE account_id = ? AND id = ?
-- name: forget_contact
DELETE FROM contact_identifier WHERE account_id = ? AND mode = ? AND contact_id = ?

-- name: stop_deliveries_of_order
UPDATE delivery SET state = 2, finished_at = ?, owner = NULL, last_error = 'erased'
WHERE account_id = ? AND state = 0 AND event_id IN (SELECT id FROM event WHERE account_id = ? AND order_id = ?)
-- name: empty_attempts_of_order
UPDATE attempt SET snippet = '' WHERE account_id = ? AND delivery_id IN (
    SELECT d.id FROM delivery d JOIN event e ON e.account_id = d.account_id AND e.id = d.event_id
    WHERE e.account_id = ? AND e.order_id = ?)
-- name: empty_events_of_order
UPDATE event SET body = ? WHERE account_id = ? AND order_id = ?

-- name: retention_reach
-- The item up to which the next step of the retention goes: so many further on, none younger than the limit.
SELECT max(id) FROM (SELECT id FROM item WHERE account_id = ? AND id > ? AND at < ? ORDER BY id LIMIT ?) AS step
-- name: forget_documents
-- What was sent: older versions, stale and failed ones. The newest document of an order is the order, and stays.
UPDATE item SET document = NULL
WHERE account_id = ? AND id > ? AND id <= ? AND document IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM orders o WHERE o.account_id = item.account_id AND o.id = item.order_id AND o.document_item = item.id)
-- name: forget_memos_of
DELETE FROM memo WHERE account_id = ? AND created_at <= ?
-- name: drop_memo
DELETE FROM memo WHERE account_id = ? AND key = ?
