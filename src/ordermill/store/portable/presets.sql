-- Presets of an account's own: how its files are mapped.

-- name: find_presets
SELECT name, plan, created_at, updated_at FROM import_preset WHERE account_id = ?

-- name: find_preset
SELECT name, plan, created_at, updated_at FROM import_preset WHERE account_id = ? AND name = ?

-- name: count_presets
SELECT count(*) FROM import_preset WHERE account_id = ?

-- name: save_preset
-- A preset of that name is replaced.
INSERT INTO import_preset (account_id, name, plan, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (account_id, name) DO UPDATE SET plan = excluded.plan, updated_at = excluded.updated_at

-- name: drop_preset
DELETE FROM import_preset WHERE account_id = ? AND name = ?
