-- The last hour minute by minute, the processes that run on this ledger, and the headers of remembered answers.

-- As the tally, and forgotten after some hours: what is older is told by the hour.
CREATE TABLE tally_minute (
    account_id INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    minute     INTEGER NOT NULL,
    dialect    TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    batches    INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    updated    INTEGER NOT NULL,
    unchanged  INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    PRIMARY KEY (account_id, mode, minute, dialect, key_id)
) STRICT, WITHOUT ROWID;

-- account_id is 0: a process serves all accounts. doing: what it is for, in a word.
CREATE TABLE process (
    account_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    doing      TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

-- JSON pairs of name and value; '' where there are none.
ALTER TABLE memo ADD COLUMN headers TEXT NOT NULL DEFAULT '';
