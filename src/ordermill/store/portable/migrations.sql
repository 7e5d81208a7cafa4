-- What has been applied to this database.

-- name: create_migrations
CREATE TABLE IF NOT EXISTS schema_migration (version text PRIMARY KEY, checksum text NOT NULL, applied_at bigint NOT NULL)
-- name: find_migrations
SELECT version, checksum, applied_at FROM schema_migration ORDER BY version
-- name: find_migration
SELECT checksum FROM schema_migration WHERE version = ?
-- name: record_migration
INSERT INTO schema_migration (version, checksum, applied_at) VALUES (?, ?, ?)
