-- Forgetting a person, where PostgreSQL wants it said its own way.

-- name: find_memos_mentioning
SELECT key, body FROM memo WHERE account_id = ? AND lower(convert_from(body, 'UTF8')) LIKE ? ESCAPE '!'
