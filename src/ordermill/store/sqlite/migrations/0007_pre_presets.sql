-- How files are mapped, kept under a name by the account that uses it again. No order and no person stands in it.

CREATE TABLE import_preset (
    account_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    plan       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;
