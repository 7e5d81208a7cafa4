-- Forgetting a person, where SQLite wants it said its own way.

-- name: find_memos_mentioning
SELECT key, body FROM memo WHERE account_id = ? AND lower(CAST(body AS TEXT)) LIKE ? ESCAPE '!'
