-- Times of observations that repeat what was stated before and after them (see packed_times.py), and which runs were dropped.

-- `times` are the times in ascending order, between `first` and `last`; see `encode_times`.
CREATE TABLE packed_times (
    scope_id INTEGER NOT NULL,
    provisional INTEGER NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    content_id INTEGER NOT NULL,
    times BLOB NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (scope_id, provisional, last)
) STRICT, WITHOUT ROWID;

-- `run_digest` is a digest of the run's key; `dropped_on` is a day since 1970.
CREATE TABLE dropped_run (
    run_digest INTEGER PRIMARY KEY,
    dropped_on INTEGER NOT NULL,
    crc INTEGER NOT NULL
) STRICT;
