-- Records that are only ever added. `key` is NULL where a record is always new: NULLs are never equal.
CREATE TABLE journal (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT,
    at INTEGER NOT NULL,
    deflated INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (kind, key)
) STRICT;

CREATE INDEX journal_by_kind ON journal (kind, position);
