-- What is done now and then by one process of all: when it is due next.

CREATE TABLE duty (
    account_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    due_at     INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;
