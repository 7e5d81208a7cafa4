-- Taking orders in: sets of rows, as multi-row VALUES. {rows ?1, ?2}: every row starts with these fixed parameters.
-- Many rows that are read come back packed into one: see SqliteTransaction.all_of.

-- name: reserve
INSERT INTO counter (account_id, name, next) VALUES (?, ?, 1 + ?)
ON CONFLICT (account_id, name) DO UPDATE SET next = next + excluded.next - 1
RETURNING next

-- name: find_current
-- The orders that hold one of the keys. CROSS JOIN pins the loop: one look-up per key, never a scan of the account.
WITH k (dialect, source, reference) AS (VALUES {rows})
SELECT json_group_array(json_array(
    o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, NULL
)) AS packed
FROM k CROSS JOIN orders o
WHERE o.account_id = ? AND o.mode = ? AND o.retired = 0
    AND o.dialect = k.dialect AND o.source = k.source AND o.reference = k.reference

-- name: find_contacts
WITH k (kind, value) AS (VALUES {rows})
SELECT json_group_array(json_array(c.kind, c.value, c.contact_id)) AS packed
FROM k CROSS JOIN contact_identifier c
WHERE c.account_id = ? AND c.mode = ? AND c.kind = k.kind AND c.value = k.value

-- name: save_contacts
INSERT INTO contact_identifier (account_id, mode, kind, value, contact_id)
VALUES {rows ?1, ?2}

-- name: save_orders
INSERT INTO orders (
    account_id, mode, received_at, changed_at, id, dialect, source, reference, retired, revision, status, placed_at,
    updated_at, amount, currency, contact_id, content_hash, request_id, number, document_item
) VALUES {rows ?1, ?2, ?3, ?3} ON CONFLICT DO NOTHING

-- name: enter
-- Nobody else is there: there is one writer.
SELECT ?, ?

-- name: enter_alone
SELECT ?, ?

-- name: lock_orders
-- Nothing to lock: there is one writer.
WITH k (id) AS (VALUES {rows}) SELECT 1 FROM k WHERE ? = 0 AND 0

-- name: update_orders
-- Only what is still the version that was read.
UPDATE orders SET
    revision = v.column3, retired = v.column4, status = v.column5, placed_at = v.column6, updated_at = v.column7,
    changed_at = v.column8, amount = v.column9, currency = v.column10, contact_id = v.column11,
    content_hash = v.column12, document_item = v.column13
FROM (VALUES {rows}) AS v
WHERE orders.account_id = ? AND orders.id = v.column1 AND orders.revision = v.column2

-- name: save_items
INSERT INTO item (account_id, at, id, key, outcome, order_id, revision, updated_at, document) VALUES {rows ?1, ?2}

-- name: save_failed_items
INSERT INTO item (account_id, at, outcome, id, key, reference, code, field, problems, document)
VALUES {rows ?1, ?2, 5}
