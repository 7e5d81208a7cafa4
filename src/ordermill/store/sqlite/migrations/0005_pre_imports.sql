-- Files on their way into the ledger. How far one is, its batch says: orders received so far, committed with each chunk.

CREATE TABLE import_job (
    id              INTEGER PRIMARY KEY,
    account_id      INTEGER NOT NULL,
    mode            INTEGER NOT NULL,
    key_id          TEXT NOT NULL,
    name            TEXT NOT NULL,
    state           TEXT NOT NULL,
    size_bytes      INTEGER NOT NULL,
    sha256          TEXT NOT NULL,
    fingerprint     TEXT NOT NULL,
    plan            TEXT NOT NULL,
    understood      TEXT NOT NULL,
    report          TEXT NOT NULL,
    batch_id        INTEGER,
    parent_batch_id INTEGER,
    permille        INTEGER NOT NULL,
    message         TEXT NOT NULL,
    owner           TEXT,
    attempt         INTEGER NOT NULL,
    lease_until     INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    finished_at     INTEGER
) STRICT;
CREATE INDEX import_job_account ON import_job (account_id, mode, id);
CREATE INDEX import_job_fingerprint ON import_job (account_id, mode, fingerprint);
CREATE INDEX import_job_batch ON import_job (account_id, batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX import_job_due ON import_job (id) WHERE state IN ('checking', 'queued', 'running');

-- The file itself, until it is imported: in pieces, so that any process can go on with it.
CREATE TABLE import_part (
    account_id INTEGER NOT NULL,
    import_id  INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    bytes      BLOB NOT NULL,
    PRIMARY KEY (account_id, import_id, number)
) STRICT;
