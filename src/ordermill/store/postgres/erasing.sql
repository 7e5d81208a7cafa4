-- Forgetting a person, where PostgreSQL wants it said its own way.

-- name: forget_memos_mentioning
DELETE FROM memo WHERE account_id = ? AND strpos(lower(convert_from(body, 'UTF8')), ?) > 0
