-- Taking orders in: sets of rows, as multi-row VALUES.

-- name: reserve
INSERT INTO counter (account_id, name, next) VALUES (?, ?, 1 + ?)
ON CONFLICT (account_id, name) DO UPDATE SET next = next + excluded.next - 1
RETURNING next

-- name: find_current
-- The orders that hold one of the keys. CROSS JOIN pins the loop: one look-up per key, never a scan of the account.
WITH k (dialect, source, reference) AS (VALUES {rows})
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, NULL
FROM k CROSS JOIN orders o
WHERE o.account_id = ? AND o.mode = ? AND o.retired = 0
    AND o.dialect = k.dialect AND o.source = k.source AND o.reference = k.reference

-- name: find_contacts
WITH k (kind, value) AS (VALUES {rows})
SELECT c.kind, c.value, c.contact_id
FROM k CROSS JOIN contact_identifier c
WHERE c.account_id = ? AND c.mode = ? AND c.kind = k.kind AND c.value = k.value

-- name: save_contacts
INSERT INTO contact_identifier (account_id, mode, kind, value, contact_id) VALUES {rows} ON CONFLICT DO NOTHING

-- name: save_orders
INSERT INTO orders (
    account_id, id, mode, dialect, source, reference, retired, revision, status, placed_at, updated_at,
    received_at, changed_at, amount, currency, contact_id, content_hash, request_id, number, document_item
) VALUES {rows} ON CONFLICT DO NOTHING

-- name: lock_orders
-- Nothing to lock: there is one writer.
WITH k (id) AS (VALUES {rows}) SELECT 1 FROM k WHERE ? = 0 AND 0

-- name: update_orders
-- Only what is still the version that was read.
UPDATE orders SET
    revision = v.column4, retired = v.column5, status = v.column6, placed_at = v.column7, updated_at = v.column8,
    changed_at = v.column9, amount = v.column10, currency = v.column11, contact_id = v.column12,
    content_hash = v.column13, document_item = v.column14
FROM (VALUES {rows}) AS v
WHERE orders.account_id = v.column1 AND orders.id = v.column2 AND orders.revision = v.column3

-- name: save_items
INSERT INTO item (
    account_id, id, key, outcome, reference, order_id, revision, updated_at, at, code, field, problems, document
) VALUES {rows}
