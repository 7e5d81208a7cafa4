-- How files are mapped, kept under a name by the account that uses it again. No order and no person stands in it.

CREATE TABLE import_preset (
    account_id bigint NOT NULL,
    name       text NOT NULL,
    plan       text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (account_id, name)
);
