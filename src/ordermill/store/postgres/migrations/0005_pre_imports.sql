-- Files on their way into the ledger. How far one is, its batch says: orders received so far, committed with each chunk.

CREATE TABLE import_job (
    account_id      bigint NOT NULL,
    id              bigint NOT NULL,
    mode            smallint NOT NULL,
    key_id          text NOT NULL,
    name            text NOT NULL,
    state           text NOT NULL,
    size_bytes      bigint NOT NULL,
    sha256          text NOT NULL,
    fingerprint     text NOT NULL,
    plan            text NOT NULL,
    understood      text NOT NULL,
    report          text NOT NULL,
    batch_id        bigint,
    parent_batch_id bigint,
    permille        integer NOT NULL,
    message         text NOT NULL,
    owner           text,
    attempt         integer NOT NULL,
    lease_until     bigint,
    created_at      bigint NOT NULL,
    updated_at      bigint NOT NULL,
    finished_at     bigint,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX import_job_account ON import_job (account_id, mode, id);
CREATE INDEX import_job_fingerprint ON import_job (account_id, mode, fingerprint);
CREATE INDEX import_job_batch ON import_job (account_id, batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX import_job_due ON import_job (account_id, id) WHERE state IN ('checking', 'queued', 'running');

-- The file itself, until it is imported: in pieces, so that any process can go on with it.
CREATE TABLE import_part (
    account_id bigint NOT NULL,
    import_id  bigint NOT NULL,
    number     integer NOT NULL,
    bytes      bytea NOT NULL,
    PRIMARY KEY (account_id, import_id, number)
);
