-- What is done now and then by one process of all: when it is due next.

CREATE TABLE duty (
    account_id bigint NOT NULL,
    name       text NOT NULL,
    due_at     bigint NOT NULL,
    PRIMARY KEY (account_id, name)
);
