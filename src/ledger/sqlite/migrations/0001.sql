CREATE TABLE facts (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    row TEXT NOT NULL
) STRICT;

-- Keys of a test ledger. A live ledger has none here.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    order_id BLOB CHECK (length(order_id) = 32),
    body TEXT NOT NULL
) STRICT;
CREATE INDEX event_order ON event (order_id, seq);

CREATE TABLE orders (
    order_id BLOB PRIMARY KEY CHECK (length(order_id) = 32),
    state TEXT NOT NULL,
    held INTEGER NOT NULL,
    received INTEGER NOT NULL,
    row TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_received ON orders (received);
CREATE INDEX orders_state ON orders (state, received);

CREATE TABLE order_card (
    n INTEGER PRIMARY KEY,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    order_id BLOB NOT NULL REFERENCES orders (order_id),
    UNIQUE (digest, order_id)
) STRICT;

CREATE TABLE payload (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    order_id BLOB NOT NULL REFERENCES orders (order_id)
) STRICT, WITHOUT ROWID;

-- chip and chip_use: only while the job has the chip to itself.
CREATE TABLE job (
    order_id BLOB NOT NULL REFERENCES orders (order_id),
    attempt INTEGER NOT NULL CHECK (attempt > 0),
    state TEXT NOT NULL,
    station TEXT NOT NULL,
    chip TEXT,
    chip_use INTEGER,
    claimed INTEGER NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (order_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX job_live ON job (order_id) WHERE state IN ('claimed', 'personalizing', 'in-doubt');
CREATE UNIQUE INDEX job_card ON job (order_id) WHERE state IN ('good', 'made', 'shipped');
CREATE UNIQUE INDEX job_chip ON job (chip, chip_use) WHERE chip IS NOT NULL;
CREATE INDEX job_claimed ON job (claimed);
CREATE INDEX job_state ON job (state, claimed);

-- Not computed from the events.
CREATE TABLE lease (
    order_id BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    fence BLOB NOT NULL CHECK (length(fence) = 8),
    boot BLOB NOT NULL CHECK (length(boot) = 16),
    until INTEGER NOT NULL,
    PRIMARY KEY (order_id, attempt),
    FOREIGN KEY (order_id, attempt) REFERENCES job (order_id, attempt)
) STRICT, WITHOUT ROWID;
