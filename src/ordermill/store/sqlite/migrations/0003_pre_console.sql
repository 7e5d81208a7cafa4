-- Who looks at the console: sessions, the one-time links that start them, and what was done there.

CREATE TABLE session (
    account_id INTEGER NOT NULL REFERENCES account (id),
    token_hash BLOB NOT NULL,
    key_id     TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    mode       INTEGER NOT NULL CHECK (mode IN (0, 1)),
    zone       TEXT NOT NULL,
    theme      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, token_hash)
) STRICT;

CREATE TABLE login_link (
    account_id INTEGER NOT NULL REFERENCES account (id),
    token_hash BLOB NOT NULL,
    mode       INTEGER NOT NULL CHECK (mode IN (0, 1)),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    PRIMARY KEY (account_id, token_hash)
) STRICT;

CREATE TABLE audit (
    account_id INTEGER NOT NULL REFERENCES account (id),
    id         INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    who        TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail     TEXT NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
