-- Forgetting a person, where SQLite wants it said its own way.

-- name: forget_memos_mentioning
DELETE FROM memo WHERE account_id = ? AND instr(lower(CAST(body AS TEXT)), ?) > 0
