-- Imports of files, and the streams that may be resumed.

-- name: save_import
INSERT INTO import_job (
    account_id, id, mode, key_id, name, state, size_bytes, sha256, fingerprint, plan, understood, report, batch_id,
    parent_batch_id, permille, message, attempt, created_at, updated_at
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)

-- name: find_import
SELECT account_id, id, mode, key_id, name, state, size_bytes, sha256, fingerprint, plan, understood, report, batch_id,
    parent_batch_id, permille, message, owner, attempt, lease_until, created_at, updated_at, finished_at
FROM import_job WHERE account_id = ? AND mode = ? AND id = ?

-- name: find_imports
SELECT account_id, id, mode, key_id, name, state, size_bytes, sha256, fingerprint, plan, understood, report, batch_id,
    parent_batch_id, permille, message, owner, attempt, lease_until, created_at, updated_at, finished_at
FROM import_job WHERE account_id = ? AND mode = ? AND id < ? ORDER BY id DESC LIMIT ?

-- name: find_import_by_fingerprint
-- The newest one that came as far as having a batch.
SELECT account_id, id, mode, key_id, name, state, size_bytes, sha256, fingerprint, plan, understood, report, batch_id,
    parent_batch_id, permille, message, owner, attempt, lease_until, created_at, updated_at, finished_at
FROM import_job WHERE account_id = ? AND mode = ? AND fingerprint = ? AND batch_id IS NOT NULL ORDER BY id DESC LIMIT 1

-- name: find_stream_by_fingerprint
-- Whether or not it has a batch yet, the one that has first; but none that ended without a line: nothing came of it.
SELECT account_id, id, mode, key_id, name, state, size_bytes, sha256, fingerprint, plan, understood, report, batch_id,
    parent_batch_id, permille, message, owner, attempt, lease_until, created_at, updated_at, finished_at
FROM import_job
WHERE account_id = ? AND mode = ? AND fingerprint = ? AND (batch_id IS NOT NULL OR state <> 'completed')
ORDER BY CASE WHEN batch_id IS NULL THEN 1 ELSE 0 END, id DESC LIMIT 1

-- name: find_import_by_batch
SELECT account_id, id, mode, key_id, name, state, size_bytes, sha256, fingerprint, plan, understood, report, batch_id,
    parent_batch_id, permille, message, owner, attempt, lease_until, created_at, updated_at, finished_at
FROM import_job WHERE account_id = ? AND mode = ? AND batch_id = ? ORDER BY id DESC LIMIT 1

-- name: find_due_imports
-- Of every account: a handful of rows at most, kept apart by an index of their own.
SELECT account_id, id, mode, key_id, name, state, size_bytes, sha256, fingerprint, plan, understood, report, batch_id,
    parent_batch_id, permille, message, owner, attempt, lease_until, created_at, updated_at, finished_at
FROM import_job
WHERE state IN ('checking', 'queued', 'running') AND (lease_until IS NULL OR lease_until < ?) ORDER BY id LIMIT ?

-- name: claim_import
UPDATE import_job SET owner = ?, attempt = attempt + 1, lease_until = ?, updated_at = ?,
    state = CASE WHEN state = 'queued' THEN 'running' ELSE state END
WHERE account_id = ? AND id = ? AND attempt = ? AND state IN ('checking', 'queued', 'running')
    AND (lease_until IS NULL OR lease_until < ?)

-- name: claim_stream
-- A stream that its sender takes up again.
UPDATE import_job SET owner = ?, attempt = attempt + 1, lease_until = ?, updated_at = ?, state = 'streaming'
WHERE account_id = ? AND id = ? AND attempt = ? AND state IN ('streaming', 'stopped')
    AND (lease_until IS NULL OR lease_until < ?)

-- name: renew_import
UPDATE import_job SET lease_until = ?, permille = ?, updated_at = ?
WHERE account_id = ? AND id = ? AND owner = ? AND attempt = ? AND state IN ('checking', 'running', 'streaming')

-- name: leave_import
-- The owner is done with it, for now or for good.
UPDATE import_job SET state = ?, understood = ?, report = ?, permille = ?, message = ?, owner = NULL, lease_until = ?,
    updated_at = ?, finished_at = ?
WHERE account_id = ? AND id = ? AND owner = ? AND attempt = ?

-- name: set_import_batch
UPDATE import_job SET batch_id = ?, updated_at = ? WHERE account_id = ? AND id = ? AND batch_id IS NULL

-- name: set_import_file
UPDATE import_job SET state = ?, size_bytes = ?, sha256 = ?, fingerprint = ?, plan = ?, understood = ?, report = ?,
    message = ?, updated_at = ?
WHERE account_id = ? AND mode = ? AND id = ? AND batch_id IS NULL AND state IN ('receiving', 'ready', 'failed')

-- name: set_import_state
UPDATE import_job SET state = ?, message = ?, updated_at = ?
WHERE account_id = ? AND mode = ? AND id = ? AND state = ?

-- name: retire_import
-- Nobody works on it and nobody will: it is about to be dropped. Whoever thinks that it is still theirs is wrong.
UPDATE import_job SET state = ?, message = ?, owner = NULL, attempt = attempt + 1, lease_until = NULL, updated_at = ?,
    finished_at = ?
WHERE account_id = ? AND mode = ? AND id = ?
    AND state IN ('receiving', 'ready', 'failed', 'stopped', 'cancelled', 'completed')
    AND (owner IS NULL OR lease_until IS NULL OR lease_until < ?)

-- name: drop_import
-- One that was just stopped is still in the hands of its owner, until that one has noticed it.
DELETE FROM import_job
WHERE account_id = ? AND mode = ? AND id = ?
    AND state IN ('receiving', 'ready', 'failed', 'stopped', 'cancelled', 'completed')
    AND (owner IS NULL OR lease_until IS NULL OR lease_until < ?)

-- name: save_part
INSERT INTO import_part (account_id, import_id, number, bytes) VALUES (?, ?, ?, ?)

-- name: find_part
SELECT bytes FROM import_part WHERE account_id = ? AND import_id = ? AND number = ?

-- name: drop_parts
DELETE FROM import_part WHERE account_id = ? AND import_id = ?

-- name: find_left_imports
-- Those that nobody has gone on with since an instant, and that still hold rows of their file or values out of it.
SELECT j.id, j.state, j.understood, j.report FROM import_job j
WHERE j.account_id = ? AND j.updated_at < ?
    AND j.state IN ('receiving', 'ready', 'stopped', 'failed', 'completed', 'cancelled') AND (
        j.understood LIKE '%"samples":[[%' OR j.report LIKE '%"value":"%'
        OR EXISTS (SELECT 1 FROM import_part p WHERE p.account_id = j.account_id AND p.import_id = j.id))
ORDER BY j.id LIMIT ?

-- name: forget_import_rows
-- Unless somebody has gone on with it meanwhile.
UPDATE import_job SET understood = ?, report = ?, updated_at = ?
WHERE account_id = ? AND id = ? AND state = ? AND updated_at < ?

-- name: fail_import_without_file
UPDATE import_job SET state = 'failed', message = ?
WHERE account_id = ? AND id = ? AND state IN ('receiving', 'ready', 'stopped')
