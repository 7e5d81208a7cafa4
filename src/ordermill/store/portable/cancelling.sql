-- Ending a batch before it is complete.

-- name: cancel_items
-- What still waits is failed, so that the accounting holds.
UPDATE item SET outcome = 5, code = ?, field = '', problems = ?
WHERE account_id = ? AND id >= ? AND id < ? AND outcome = 0

-- name: cancel_batch
UPDATE batch SET status = ?, failed = failed + waiting, waiting = 0, updated_at = ?, finished_at = ?
WHERE account_id = ? AND mode = ? AND id = ? AND finished_at IS NULL
