CREATE TABLE idempotency (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    order_id BLOB NOT NULL REFERENCES orders (order_id)
) STRICT, WITHOUT ROWID;
