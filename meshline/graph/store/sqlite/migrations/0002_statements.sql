-- The schema: stores of version 1 are refused. Ids (scope_id, content_id, ...) are allocated in order and never reused.

-- One row per commit that changed anything: the newest revision is the store's. `scopes` is a msgpack
-- list of the scopes whose heads changed; rows of old revisions are dropped (see head.revision).
CREATE TABLE change (
    revision INTEGER PRIMARY KEY,
    scopes BLOB NOT NULL
) STRICT;

-- `scope` is the JSON of a list of strings.
CREATE TABLE scope (
    scope_id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    scope TEXT NOT NULL,
    UNIQUE (scope, source)
) STRICT;

-- Versions and other texts that repeat: stored (and looked up) once.
CREATE TABLE label (
    label_id INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE
) STRICT;

-- Content 0 is the empty one: a tombstone. `deflated`: whether `blob` is compressed by zlib.
CREATE TABLE content (
    content_id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    deflated INTEGER NOT NULL,
    blob BLOB NOT NULL
) STRICT;

-- The source of truth: all statements, with times in microseconds. `lasts` is 0 for a statement without an end,
-- else the microseconds from observed_at to its end (negative if it ended before it began: it is never active).
-- All columns are key, so that a repetition changes nothing.
CREATE TABLE observation (
    scope_id INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    content_id INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    provisional INTEGER NOT NULL,
    lasts INTEGER NOT NULL,
    PRIMARY KEY (scope_id, observed_at, content_id, version_id, provisional, lasts)
) STRICT, WITHOUT ROWID;

-- For withdrawals. New versions get the greatest numbers, so that this index grows at its end.
CREATE INDEX observation_by_version ON observation (version_id, scope_id);

-- Derived: the active statement of each scope at the end of time. `content_id` is NULL where none is active;
-- `revision` is the one at which the content of the scope last began, changed or ended.
CREATE TABLE head (
    scope_id INTEGER PRIMARY KEY,
    content_id INTEGER,
    observed_at INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    last_observed INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    provisional INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT;

-- `source`, `job` and `parent` are labels; `job` is the JSON of the parts of the job's key.
CREATE TABLE run (
    run_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    source INTEGER NOT NULL,
    job INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    deflated INTEGER NOT NULL,
    state BLOB NOT NULL,
    UNIQUE (name, source, job)
) STRICT;

CREATE TABLE pair (
    run_id INTEGER NOT NULL,
    pair BLOB NOT NULL,
    parent INTEGER NOT NULL,
    covered INTEGER NOT NULL,
    PRIMARY KEY (run_id, pair, parent, covered)
) STRICT, WITHOUT ROWID;

CREATE INDEX pair_by_parent ON pair (parent, pair);

CREATE TABLE raw (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    deflated INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE INDEX raw_by_time ON raw (received_at);

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Every asset that any content ever referred to, except columns: instead of them the names of columns,
-- each once, however many datasets have such a column. The upper bits of the number are the kind, so that
-- one kind is one range; `name` are the parts of the key, and sorts like them (see search_index.py).
CREATE TABLE asset (
    asset_id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    name BLOB NOT NULL,
    UNIQUE (kind, name)
) STRICT;

-- Every column of a dataset, as a JSON list of the counters of the names; one row more when others are
-- mentioned. `listed` finds the rows that have a name: its words are those counters, rowid is listing_id.
CREATE TABLE listing (
    listing_id INTEGER PRIMARY KEY,
    dataset_id INTEGER NOT NULL,
    columns TEXT NOT NULL
) STRICT;

CREATE INDEX listing_by_dataset ON listing (dataset_id);

CREATE VIRTUAL TABLE listed USING fts5 (words, content = '', columnsize = 0, detail = none, tokenize = 'ascii');

-- The words of each asset's key; rowid is asset_id. The words are made by search_words.py, and the ascii
-- tokenizer leaves them as they are: it parts at ASCII punctuation only and folds ASCII only.
CREATE VIRTUAL TABLE name USING fts5 (words, content = '', columnsize = 0, detail = none, tokenize = 'ascii');

-- The prose about assets in the current heads; rowid is document_id.
CREATE VIRTUAL TABLE prose USING fts5 (words, columnsize = 0, detail = none, tokenize = 'ascii');

CREATE TABLE document (
    document_id INTEGER PRIMARY KEY,
    scope_id INTEGER NOT NULL,
    asset_id INTEGER NOT NULL, -- of a column: its dataset
    column_id INTEGER NOT NULL -- 0: the asset is no column
) STRICT;

CREATE INDEX document_by_scope ON document (scope_id);
