-- Accounts and keys.

-- name: save_account
INSERT INTO account (id, name, notify_secret, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
-- name: find_account
SELECT id, name, notify_secret, created_at, old_notify_secret_until FROM account WHERE id = ?
-- name: find_account_by_name
SELECT id, name, notify_secret, created_at, old_notify_secret_until FROM account WHERE name = ?
-- name: find_accounts
SELECT id, name, notify_secret, created_at, old_notify_secret_until FROM account ORDER BY id
-- name: rotate_notify_secret
UPDATE account SET old_notify_secret = notify_secret, old_notify_secret_until = ?, notify_secret = ? WHERE id = ?
-- name: save_key
INSERT INTO api_key (account_id, id, name, mode, scopes, secret_hash, hint, rate_limit, created_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
-- name: find_key
SELECT account_id, id, name, mode, scopes, secret_hash, hint, rate_limit, created_at, expires_at, revoked_at, last_used_at
FROM api_key WHERE id = ?
-- name: find_keys
SELECT account_id, id, name, mode, scopes, secret_hash, hint, rate_limit, created_at, expires_at, revoked_at, last_used_at
FROM api_key WHERE account_id = ? ORDER BY created_at DESC, id
-- name: revoke_key
UPDATE api_key SET revoked_at = ? WHERE account_id = ? AND id = ? AND revoked_at IS NULL
-- name: expire_key
UPDATE api_key SET expires_at = ? WHERE account_id = ? AND id = ?
-- name: touch_key
UPDATE api_key SET last_used_at = ? WHERE account_id = ? AND id = ?
