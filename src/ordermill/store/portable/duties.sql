-- What processes do for all: who runs, what one of them does now and then, what goes when its time is over.

-- name: forget_minutes
DELETE FROM tally_minute WHERE account_id = ? AND mode = ? AND minute < ?

-- name: save_process
INSERT INTO process (account_id, name, doing, version, started_at, seen_at) VALUES (0, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, name) DO UPDATE SET doing = excluded.doing, seen_at = excluded.seen_at
-- name: forget_process
DELETE FROM process WHERE account_id = 0 AND name = ?
-- name: forget_processes
-- Those that ended without saying so, and were not seen for long.
DELETE FROM process WHERE account_id = 0 AND seen_at < ?
-- name: find_processes
SELECT name, doing, version, started_at, seen_at FROM process WHERE account_id = 0 ORDER BY started_at, name

-- name: claim_duty
UPDATE duty SET due_at = ? WHERE account_id = 0 AND name = ? AND due_at <= ?
-- name: add_duty
INSERT INTO duty (account_id, name, due_at) VALUES (0, ?, 0) ON CONFLICT DO NOTHING
