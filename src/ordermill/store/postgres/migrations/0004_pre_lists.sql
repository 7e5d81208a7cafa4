-- Indexes for lists. Each is partial on a condition that every row meets and only the lists' statements spell out
-- (query.sql): the look-up by key must never be planned over them. Before the first ANALYZE, and for an account that is
-- new since the last one, the planner takes (account_id, mode, dialect) for one row, and so for as good as the whole key.

DROP INDEX orders_placed;
CREATE INDEX orders_placed ON orders (account_id, mode, dialect, placed_at, updated_at, id)
    WHERE placed_at > -9223372036854775808;
CREATE INDEX orders_received ON orders (account_id, mode, id) WHERE id > 0;
CREATE INDEX orders_received_by ON orders (account_id, mode, dialect, id) WHERE id > 0;

-- A number sorts; that it occurs once follows from the reference it is made of, where it has to.
DROP INDEX orders_number;
CREATE INDEX orders_number ON orders (account_id, mode, dialect, source, number, id) WHERE number IS NOT NULL;

-- Expired answers are cleared away account by account.
DROP INDEX memo_age;
CREATE INDEX memo_age ON memo (account_id, created_at);
