-- Runs by the time at which they began, and events by their time. Runs and events that are there already get their rows
-- later, in groups: only ingest can read a run's state and an event's text.

-- `begun` in microseconds; `reads` and `writes` are MessagePack lists of labels, each the JSON of the parts of a dataset's key.
CREATE TABLE run_summary (
    run_id INTEGER PRIMARY KEY,
    begun INTEGER NOT NULL,
    reads BLOB NOT NULL,
    writes BLOB NOT NULL,
    crc INTEGER NOT NULL
) STRICT;

-- The lists of runs: of a job (role 0), of those that read a dataset (1) and of those that write it (2). `asset` is the label of its key.
CREATE TABLE run_asset (
    asset INTEGER NOT NULL,
    role INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (asset, role, begun, run_id)
) STRICT, WITHOUT ROWID;

-- The time (microseconds) and the type of raw events.
CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    crc INTEGER NOT NULL
) STRICT;

CREATE INDEX event_by_time ON event (at);

-- `hour` is its beginning in microseconds. Rows remain when events are pruned.
CREATE TABLE event_count (
    hour INTEGER NOT NULL,
    type TEXT NOT NULL,
    events INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (hour, type)
) STRICT, WITHOUT ROWID;
