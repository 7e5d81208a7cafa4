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
-- name: put_duty_off
UPDATE duty SET due_at = ? WHERE account_id = 0 AND name = ?
-- name: add_duty
INSERT INTO duty (account_id, name, due_at) VALUES (0, ?, 0) ON CONFLICT DO NOTHING

-- name: newest_event_at
SELECT max(created_at) FROM event WHERE account_id = ?
-- name: set_deliveries_back
-- What was due later on a clock that has been set back since is due as much earlier, but no earlier than now.
UPDATE delivery SET due_at = CASE WHEN due_at - ? > ? THEN due_at - ? ELSE ? END
WHERE account_id = ? AND state = 0 AND due_at > ?
-- name: set_imports_back
UPDATE import_job SET lease_until = CASE WHEN lease_until - ? > ? THEN lease_until - ? ELSE ? END
WHERE account_id = ? AND state IN ('checking', 'queued', 'running', 'streaming', 'stopped') AND lease_until > ?
-- name: set_duties_back
UPDATE duty SET due_at = CASE WHEN due_at - ? > ? THEN due_at - ? ELSE ? END WHERE account_id = ? AND due_at > ?
