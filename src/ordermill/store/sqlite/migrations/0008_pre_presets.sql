-- How files are mapped, kept under a name by the account that uses it again. No order and no person stands in it.
-- mode: the one it was saved in. Live finds those of both, so a name is one preset; test finds its own only.

CREATE TABLE import_preset (
    account_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    mode       INTEGER NOT NULL,
    plan       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;
