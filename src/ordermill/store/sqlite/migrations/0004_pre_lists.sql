-- Indexes for lists.

CREATE INDEX orders_received ON orders (account_id, mode, id);
CREATE INDEX orders_received_by ON orders (account_id, mode, dialect, id);

-- A number sorts; that it occurs once follows from the reference it is made of, where it has to.
DROP INDEX orders_number;
CREATE INDEX orders_number ON orders (account_id, mode, dialect, source, number) WHERE number IS NOT NULL;

-- Expired answers are cleared away account by account.
DROP INDEX memo_age;
CREATE INDEX memo_age ON memo (account_id, created_at);
