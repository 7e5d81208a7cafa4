-- What the console keeps and asks beyond the verbs of everybody else.

-- name: save_session
INSERT INTO session (account_id, token_hash, key_id, scopes, mode, zone, theme, created_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
-- name: find_session
SELECT account_id, key_id, scopes, mode, zone, theme, created_at, expires_at FROM session
WHERE account_id = ? AND token_hash = ? AND expires_at > ?
-- name: find_sessions
SELECT account_id, key_id, scopes, mode, zone, theme, created_at, expires_at FROM session
WHERE account_id = ? AND expires_at > ? ORDER BY created_at DESC LIMIT 100
-- name: change_session
UPDATE session SET mode = ?, zone = ?, theme = ? WHERE account_id = ? AND token_hash = ?
-- name: end_session
DELETE FROM session WHERE account_id = ? AND token_hash = ?
-- name: end_sessions
DELETE FROM session WHERE account_id = ?
-- name: forget_sessions
DELETE FROM session WHERE account_id = ? AND expires_at <= ?

-- name: save_login_link
INSERT INTO login_link (account_id, token_hash, mode, created_at, expires_at) VALUES (?, ?, ?, ?, ?)
-- name: find_login_link
SELECT mode FROM login_link WHERE account_id = ? AND token_hash = ? AND used_at IS NULL AND expires_at > ?
-- name: use_login_link
UPDATE login_link SET used_at = ? WHERE account_id = ? AND token_hash = ? AND used_at IS NULL AND expires_at > ?
-- name: forget_login_links
DELETE FROM login_link WHERE account_id = ? AND expires_at <= ?

-- name: save_audit
INSERT INTO audit (account_id, id, at, mode, who, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
-- name: find_audit
SELECT id, at, mode, who, action, subject, detail FROM audit WHERE account_id = ? AND id < ? ORDER BY id DESC LIMIT ?

-- name: console_shares
-- What came in during some hours, by contract and key, the largest first.
SELECT dialect, key_id, sum(batches), sum(received), sum(created), sum(updated), sum(unchanged), sum(failed) FROM tally
WHERE account_id = ? AND mode = ? AND hour >= ? AND hour < ? GROUP BY dialect, key_id ORDER BY sum(received) DESC, dialect, key_id

-- name: console_minute_shares
SELECT dialect, key_id, sum(batches), sum(received), sum(created), sum(updated), sum(unchanged), sum(failed)
FROM tally_minute WHERE account_id = ? AND mode = ? AND minute >= ? AND minute < ?
GROUP BY dialect, key_id ORDER BY sum(received) DESC, dialect, key_id

-- name: console_backlog
-- What still waits in open batches, and since when.
SELECT count(*), coalesce(sum(waiting), 0), min(created_at) FROM batch
WHERE account_id = ? AND mode = ? AND finished_at IS NULL

-- name: console_next_source
-- One step through the sources that orders of a dialect have: an index seek, however many orders there are.
SELECT source FROM orders WHERE account_id = ? AND mode = ? AND dialect = ? AND source > ?
ORDER BY account_id, mode, dialect, source LIMIT 1
-- name: console_first_source
SELECT source FROM orders WHERE account_id = ? AND mode = ? AND dialect = ?
ORDER BY account_id, mode, dialect, source LIMIT 1

-- name: console_contacts
-- Whom a text may be an identifier of, whatever its kind.
SELECT contact_id FROM contact_identifier WHERE account_id = ? AND mode = ? AND value = ?
UNION SELECT contact_id FROM contact_identifier WHERE account_id = ? AND mode = ? AND value = ?
-- name: console_orders_of_contact
-- By the index of contacts: the sums keep the planner from walking the account in the order of the list instead.
SELECT o.id, o.account_id, o.mode, o.dialect, o.source, o.reference, o.revision, o.status, o.placed_at, o.updated_at,
    o.received_at, o.changed_at, o.amount, o.currency, o.contact_id, o.content_hash, o.request_id, o.retired, NULL
FROM orders o
WHERE o.account_id = ? AND o.contact_id = ? AND o.mode + 0 = ? AND o.id < ?
ORDER BY o.id + 0 DESC LIMIT ?

-- name: console_window_end
-- The order that lies so many places further back: a search looks no further than that at once.
SELECT id FROM orders WHERE account_id = ? AND mode = ? AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?

-- name: order.amount_from
CAST(o.amount AS numeric) >= CAST(? AS numeric)
-- name: order.amount_to
CAST(o.amount AS numeric) <= CAST(? AS numeric)
-- name: order.currency
o.currency = ?

-- name: console_newer_batches
-- How many batches are newer than the newest one on somebody's page; counting stops at a hundred.
SELECT count(*) FROM (SELECT 1 FROM batch WHERE account_id = ? AND mode = ? AND id > ? ORDER BY id LIMIT 100) n
-- name: console_newer_orders
SELECT count(*) FROM (SELECT 1 FROM orders WHERE account_id = ? AND mode = ? AND id > ? ORDER BY id LIMIT 100) n
