-- Sums that are kept: what came in per hour, how many orders there are, what is not complete.

-- name: find_tally
SELECT t.hour, sum(t.batches), sum(t.received), sum(t.created), sum(t.updated), sum(t.unchanged), sum(t.failed)
FROM tally t WHERE t.account_id = ? AND t.mode = ? AND t.hour >= ? AND t.hour < ?{filters}

-- name: tally.dialect
t.dialect = ?
-- name: tally.key
t.key_id = ?
-- name: tally.by_hour
GROUP BY t.hour ORDER BY t.hour

-- name: find_tally_minutes
SELECT minute, sum(batches), sum(received), sum(created), sum(updated), sum(unchanged), sum(failed) FROM tally_minute
WHERE account_id = ? AND mode = ? AND minute >= ? AND minute < ? GROUP BY minute ORDER BY minute

-- name: find_order_counts
SELECT dialect, orders FROM order_count WHERE account_id = ? AND mode = ? ORDER BY dialect

-- name: find_unfinished
SELECT count(*), min(created_at) FROM batch WHERE account_id = ? AND mode = ? AND finished_at IS NULL
