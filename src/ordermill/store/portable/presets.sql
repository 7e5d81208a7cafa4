-- Presets of an account's own: how its files are mapped. Live (0) finds those saved in test mode (1) too.

-- name: find_presets
SELECT name, mode, plan, created_at, updated_at FROM import_preset WHERE account_id = ? AND mode >= ?

-- name: find_preset
SELECT name, mode, plan, created_at, updated_at FROM import_preset WHERE account_id = ? AND mode >= ? AND name = ?

-- name: count_presets
SELECT count(*) FROM import_preset WHERE account_id = ?

-- name: save_preset
-- Replaces the preset of that name; writes nothing where that is one of live mode and this is not.
INSERT INTO import_preset (account_id, name, mode, plan, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, name) DO UPDATE
SET mode = excluded.mode, plan = excluded.plan, updated_at = excluded.updated_at
WHERE import_preset.mode >= excluded.mode

-- name: drop_preset
DELETE FROM import_preset WHERE account_id = ? AND mode >= ? AND name = ?
