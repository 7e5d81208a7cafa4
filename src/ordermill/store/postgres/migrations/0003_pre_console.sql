-- Who looks at the console: sessions, the one-time links that start them, and what was done there.

CREATE TABLE session (
    account_id bigint NOT NULL REFERENCES account (id),
    token_hash bytea NOT NULL,
    key_id     text NOT NULL,
    scopes     text NOT NULL,
    mode       smallint NOT NULL CHECK (mode IN (0, 1)),
    zone       text NOT NULL,
    theme      text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (account_id, token_hash)
);

CREATE TABLE login_link (
    account_id bigint NOT NULL REFERENCES account (id),
    token_hash bytea NOT NULL,
    mode       smallint NOT NULL CHECK (mode IN (0, 1)),
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    used_at    bigint,
    PRIMARY KEY (account_id, token_hash)
);

CREATE TABLE audit (
    account_id bigint NOT NULL REFERENCES account (id),
    id         bigint NOT NULL,
    at         bigint NOT NULL,
    mode       smallint NOT NULL,
    who        text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    detail     text NOT NULL,
    PRIMARY KEY (account_id, id)
);
