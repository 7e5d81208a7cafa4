-- Whether anything was ever applied to this database.

-- name: has_migrations
SELECT 1 WHERE to_regclass('schema_migration') IS NOT NULL
