-- The last hour minute by minute, the processes that run on this ledger, and the headers of remembered answers.

-- As the tally, and forgotten after some hours: what is older is told by the hour.
CREATE TABLE tally_minute (
    account_id bigint NOT NULL,
    mode       smallint NOT NULL,
    minute     bigint NOT NULL,
    dialect    text NOT NULL,
    key_id     text NOT NULL,
    batches    bigint NOT NULL,
    received   bigint NOT NULL,
    created    bigint NOT NULL,
    updated    bigint NOT NULL,
    unchanged  bigint NOT NULL,
    failed     bigint NOT NULL,
    PRIMARY KEY (account_id, mode, minute, dialect, key_id)
);

-- account_id is 0: a process serves all accounts. doing: what it is for, in a word.
CREATE TABLE process (
    account_id bigint NOT NULL,
    name       text NOT NULL,
    doing      text NOT NULL,
    version    text NOT NULL,
    started_at bigint NOT NULL,
    seen_at    bigint NOT NULL,
    PRIMARY KEY (account_id, name)
);

-- JSON pairs of name and value; '' where there are none.
ALTER TABLE memo ADD COLUMN headers text NOT NULL DEFAULT '';
