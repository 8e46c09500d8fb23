-- All statements that the store runs, by name. A list of integers is passed as JSON text. Of the tables that get rows with each event,
-- `writer` computes the checksums.

-- name: revision
SELECT ifnull((SELECT revision FROM change WHERE sound_change(change) ORDER BY revision DESC LIMIT 1), 0);

-- name: add_change
INSERT INTO change (revision, scopes, crc) VALUES (?1, ?2, crc_change(?1, ?2));

-- name: drop_changes
DELETE FROM change WHERE revision <= ?;

-- name: changes
SELECT scopes FROM change WHERE revision > ? AND sound_change(change) ORDER BY revision;

-- name: add_change_time
INSERT INTO change_time (revision, earliest, crc) VALUES (?1, ?2, crc_change_time(?1, ?2));

-- name: drop_change_times
DELETE FROM change_time WHERE revision <= ?;

-- name: change_times
SELECT count(*), min(earliest) FROM change_time WHERE revision > ? AND sound_change_time(change_time);

-- Also for revisions whose list of scopes was dropped.
-- name: scopes_changed
SELECT scope_id FROM head WHERE iif(sound_head(head), revision > ?, 0);


-- Ids

-- name: find_scope
SELECT scope_id FROM scope WHERE scope = ? AND source = ? AND sound_scope(scope);

-- name: last_scope
SELECT ifnull(max(scope_id), 0) FROM scope;

-- name: add_scopes
INSERT INTO scope (scope_id, scope, source, crc) VALUES (?1, ?2, ?3, crc_scope(?1, ?3, ?2));

-- name: scopes_valid_from
SELECT scope_id FROM head WHERE iif(sound_head(head), content_id IS NULL OR valid_from > ?, 0) ORDER BY scope_id;

-- name: scopes
SELECT scope_id FROM scope ORDER BY scope_id;

-- name: name_scopes
SELECT scope_id, source, scope FROM json_each(?) LEFT JOIN scope ON scope_id = value WHERE sound_scope(scope);

-- name: find_label
SELECT label_id FROM label WHERE label = ? AND sound_label(label);

-- name: last_label
SELECT ifnull(max(label_id), 0) FROM label;

-- name: add_labels
INSERT INTO label (label_id, label, crc) VALUES (?1, ?2, crc_label(?1, ?2));

-- name: put_tombstone
INSERT OR IGNORE INTO content (content_id, digest, deflated, blob, crc) VALUES (0, ?1, 0, ?2, crc_content(0, ?1, 0));

-- name: find_content
SELECT content_id, deflated, blob FROM content WHERE digest = ? AND sound_content(content);

-- name: number_content
SELECT content_id FROM content WHERE digest = ? AND sound_content(content);

-- name: last_content
SELECT ifnull(max(content_id), 0) FROM content;

-- name: add_contents
INSERT INTO content (content_id, digest, deflated, blob, crc) VALUES (?1, ?2, ?3, ?4, crc_content(?1, ?2, ?3));

-- name: digest_of
SELECT digest FROM content WHERE content_id = ? AND sound_content(content);

-- name: label_of
SELECT label FROM label WHERE label_id = ? AND sound_label(label);


-- Observations

-- name: observations_of_version
SELECT scope_id, observed_at, content_id, version_id, provisional, lasts
FROM observation INDEXED BY observation_by_version WHERE version_id = ? AND scope_id = ? AND sound_observation(observation);

-- name: add_observations
INSERT OR IGNORE INTO observation (scope_id, observed_at, content_id, version_id, provisional, lasts, crc)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, crc_observation(?1, ?2, ?3, ?4, ?5, ?6));

-- name: remove_observations
DELETE FROM observation
WHERE scope_id = ? AND observed_at = ? AND content_id = ? AND version_id = ? AND provisional = ? AND lasts = ?;

-- name: observations
SELECT scope_id, observed_at, digest, label, provisional, lasts, content_id, version_id
FROM json_each(?1)
CROSS JOIN observation ON scope_id = value AND observed_at <= ?2
LEFT JOIN content USING (content_id)
LEFT JOIN label ON label_id = version_id
WHERE sound_observation(observation) AND sound_content(content) AND sound_label(label)
ORDER BY scope_id;

-- A damaged time may lie after the requested one.
-- name: check_observations
SELECT count(*) FROM json_each(?1) CROSS JOIN observation ON scope_id = value WHERE sound_observation(observation);

-- The interval that the newest observation that is not provisional ends, for scopes where it is clear.
-- A scope with two rows, or with `tied`, has different observations of one time: `build_intervals` decides.
-- name: settled_as_of
WITH newest AS MATERIALIZED (
    SELECT value AS scope_id, (
        SELECT observed_at FROM observation
        WHERE scope_id = value AND observed_at <= ?2 AND provisional = 0
        ORDER BY observed_at DESC LIMIT 1
    ) AS observed_at
    FROM json_each(?1)
), parted AS MATERIALIZED (
    SELECT o.scope_id, o.observed_at, o.content_id, o.version_id, (
        SELECT observed_at FROM observation AS other
        WHERE other.scope_id = o.scope_id AND other.observed_at <= o.observed_at AND other.provisional = 0 AND other.content_id <> o.content_id
        ORDER BY other.observed_at DESC LIMIT 1
    ) AS parted_at
    FROM newest CROSS JOIN observation AS o ON o.scope_id = newest.scope_id AND o.observed_at = newest.observed_at AND o.provisional = 0
)
SELECT parted.scope_id, source, scope, observed_at, (
    SELECT min(observed_at) FROM observation AS o
    WHERE o.scope_id = parted.scope_id AND o.provisional = 0 AND (parted_at IS NULL OR o.observed_at > parted_at)
) AS valid_from, observed_at AS last_observed, label, 0 AS provisional, digest, deflated, blob, parted.content_id, EXISTS (
    SELECT 1 FROM observation AS o
    WHERE o.scope_id = parted.scope_id AND o.observed_at = parted_at AND o.content_id = parted.content_id AND o.provisional = 0
) AS tied
FROM parted
LEFT JOIN scope ON scope.scope_id = parted.scope_id
LEFT JOIN label ON label_id = parted.version_id
LEFT JOIN content ON content.content_id = parted.content_id
WHERE sound_scope(scope) AND sound_label(label) AND sound_content(content);

-- Scopes whose content has been the same since before a time, with the newest observation up to it that is not provisional: several rows of
-- a scope, if several versions were observed then. Where a damaged time would hide that observation, it is in the row beside.
-- name: unchanged_since
SELECT head.scope_id, o.observed_at, valid_from, o.version_id
FROM head
LEFT JOIN observation AS o ON o.scope_id = head.scope_id AND o.content_id = head.content_id AND o.provisional = 0 AND o.observed_at = (
    SELECT observed_at FROM observation AS newest
    WHERE newest.scope_id = head.scope_id AND newest.observed_at <= ?1 AND newest.provisional = 0
    ORDER BY newest.observed_at DESC LIMIT 1
)
WHERE head.scope_id > ?3 AND head.scope_id <= ?4
AND iif(sound_head(head), head.content_id > 0 AND head.provisional = 0 AND valid_from <= ?1 AND head.revision <= ?2, 0)
AND sound_observation(o)
AND ifnull((
    SELECT sound_observation(beside) FROM observation AS beside
    WHERE beside.scope_id = head.scope_id AND beside.observed_at > ?1 ORDER BY beside.observed_at LIMIT 1
), 1)
ORDER BY head.scope_id;

-- name: scopes_between
SELECT scope_id FROM scope WHERE scope_id > ? AND scope_id <= ? ORDER BY scope_id;


-- Packed times

-- The block in which a time is or which is the next after it, and the one before that.
-- name: block_after
SELECT scope_id, provisional, last, first, content_id, times FROM packed_times
WHERE scope_id = ?1 AND provisional = ?2 AND last >= ?3 AND sound_packed_times(packed_times) ORDER BY last LIMIT 1;

-- name: block_before
SELECT scope_id, provisional, last, first, content_id, times FROM packed_times
WHERE scope_id = ?1 AND provisional = ?2 AND last < ?3 AND sound_packed_times(packed_times) ORDER BY last DESC LIMIT 1;

-- name: add_blocks
INSERT INTO packed_times (scope_id, provisional, last, first, content_id, times, crc)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, crc_packed_times(?1, ?2, ?3, ?4, ?5, ?6));

-- name: remove_block
DELETE FROM packed_times WHERE scope_id = ? AND provisional = ? AND last = ?;

-- name: observation_exists
SELECT 1 FROM observation
WHERE scope_id = ? AND observed_at = ? AND content_id = ? AND version_id = ? AND provisional = ? AND lasts = ?;

-- The old observations of all scopes, from one of them on.
-- name: old_observations
SELECT scope_id, observed_at, content_id, version_id, provisional, lasts
FROM scope CROSS JOIN observation USING (scope_id)
WHERE scope.scope_id >= ?1 AND observed_at < ?3 AND (scope.scope_id > ?1 OR observed_at >= ?2) AND sound_observation(observation)
ORDER BY scope_id, observed_at, content_id, version_id, provisional, lasts LIMIT ?4;

-- Of times that are not provisional: the block that is the next before a time, and the one in which it is or that is the next after it.
-- name: blocks_about
SELECT scope_id, provisional, last, first, content_id, times FROM json_each(?1)
CROSS JOIN packed_times ON scope_id = value AND provisional = 0 AND last IN (
    (SELECT max(last) FROM packed_times WHERE scope_id = value AND provisional = 0 AND last < ?2),
    (SELECT min(last) FROM packed_times WHERE scope_id = value AND provisional = 0 AND last >= ?2)
)
WHERE sound_packed_times(packed_times);

-- name: packed_scopes
SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM packed_times WHERE scope_id = value);

-- name: other_content_between
SELECT 1 FROM observation
WHERE scope_id = ?1 AND observed_at > ?2 AND observed_at < ?3
    AND iif(sound_observation(observation), provisional = ?4 AND content_id <> ?5, 0) LIMIT 1;

-- name: all_blocks
SELECT scope_id, provisional, last, first, content_id, times FROM packed_times ORDER BY scope_id, provisional, last;

-- name: count_blocks
SELECT count(*) FROM packed_times;

-- name: scope_text
SELECT scope FROM scope WHERE scope_id = ? AND sound_scope(scope);

-- name: job_output_scopes
SELECT scope_id FROM scope WHERE scope >= ?1 AND scope < ?2 AND sound_scope(scope);

-- name: settled_versions
SELECT scope_id, observed_at, version_id, label
FROM json_each(?1) CROSS JOIN observation ON scope_id = value LEFT JOIN label ON label_id = version_id
WHERE iif(sound_observation(observation), NOT provisional, 0) AND sound_label(label);

-- name: run_name_exists
SELECT 1 FROM run WHERE name = ? LIMIT 1;


-- Heads

-- name: head_rows
SELECT scope_id, content_id, observed_at, valid_from, last_observed, version_id, provisional, revision
FROM json_each(?) CROSS JOIN head ON scope_id = value WHERE sound_head(head);

-- name: put_heads
INSERT OR REPLACE INTO head (scope_id, content_id, observed_at, valid_from, last_observed, version_id, provisional, revision, crc)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, crc_head(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8));

-- The rows beside the heads are checked by who reads these, for less than a call from SQL takes.
-- name: all_heads
SELECT
    head.scope_id, source, scope, observed_at, valid_from, last_observed, label, provisional, digest, deflated, blob,
    version_id, head.content_id, scope.crc, label.crc, content.crc
FROM head
LEFT JOIN scope USING (scope_id)
LEFT JOIN label ON label_id = version_id
LEFT JOIN content USING (content_id)
WHERE iif(sound_head(head), head.content_id > 0, 0)
ORDER BY head.scope_id;

-- name: heads
SELECT head.scope_id, source, scope, observed_at, valid_from, last_observed, label, provisional, digest, deflated, blob
FROM json_each(?)
LEFT JOIN head ON head.scope_id = value
LEFT JOIN scope ON scope.scope_id = value
LEFT JOIN label ON label_id = version_id
LEFT JOIN content ON content.content_id = head.content_id
WHERE iif(head.scope_id IS NULL AND scope.scope_id IS NULL, 0, iif(sound_head(head) AND sound_scope(scope), head.content_id > 0, 0))
    AND sound_label(label) AND sound_content(content);


-- Runs

-- name: find_run
SELECT run.run_id, parent.label, deflated, state, run_summary.begun, reads, writes
FROM run LEFT JOIN label AS parent ON parent.label_id = run.parent LEFT JOIN run_summary USING (run_id)
WHERE name = ? AND source = (SELECT label_id FROM label WHERE label = ?) AND job = (SELECT label_id FROM label WHERE label = ?)
    AND sound_run(run) AND sound_label(parent) AND CASE WHEN state_crc = crc_of(state) THEN 1 ELSE damaged('run') END
    AND sound_place(run);

-- name: last_run
SELECT ifnull(max(run_id), 0) FROM run;

-- name: put_runs
INSERT INTO run (run_id, name, source, job, parent, deflated, state, crc, state_crc)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE
SET parent = excluded.parent, deflated = excluded.deflated, state = excluded.state, crc = excluded.crc, state_crc = excluded.state_crc;

-- name: pairs_of_run
SELECT run_id, pair, parent, covered FROM pair WHERE run_id = ? AND sound_pair(pair);

-- name: add_pairs
INSERT INTO pair (run_id, pair, parent, covered, crc) VALUES (?1, ?2, ?3, ?4, crc_pair(?1, ?2, ?3, ?4));

-- name: remove_pairs
DELETE FROM pair WHERE run_id = ? AND pair = ? AND parent = ? AND covered = ?;

-- name: siblings
SELECT run.name, job.label, covered
FROM label AS parent
CROSS JOIN pair ON pair.parent = parent.label_id AND pair.pair = ?3
LEFT JOIN run USING (run_id)
LEFT JOIN label AS source ON source.label_id = run.source
LEFT JOIN label AS job ON job.label_id = run.job
WHERE parent.label = ?2 AND sound_label(parent) AND sound_pair(pair) AND sound_run(run) AND sound_label(job)
    AND iif(sound_label(source), source.label = ?1, 0);

-- name: put_summaries
INSERT OR REPLACE INTO run_summary (run_id, begun, reads, writes, crc) VALUES (?, ?, ?, ?, ?);

-- name: remove_summaries
DELETE FROM run_summary WHERE run_id = ?;

-- name: add_run_assets
INSERT INTO run_asset (asset, role, begun, run_id, crc) VALUES (?1, ?2, ?3, ?4, crc_run_asset(?1, ?2, ?3, ?4));

-- name: remove_run_assets
DELETE FROM run_asset WHERE asset = ? AND role = ? AND begun = ? AND run_id = ?;

-- name: runs_of_asset
SELECT begun, run_id FROM run_asset
WHERE asset = ?1 AND role = ?2 AND (begun, run_id) < (?3, ?4) AND sound_run_asset(run_asset)
ORDER BY begun DESC, run_id DESC LIMIT ?5;

-- The rows beside a list: a key that was damaged may have left the list, and the order of rows be the same.
-- name: check_beside_runs
SELECT 1 FROM (
    SELECT * FROM run_asset WHERE (asset, role, begun, run_id) >= (?1, ?2, ?3, ?4) ORDER BY asset, role, begun, run_id LIMIT 1
) AS run_asset WHERE sound_run_asset(run_asset)
UNION ALL
SELECT 1 FROM (
    SELECT * FROM run_asset WHERE (asset, role, begun, run_id) < (?1, ?2, -1 << 63, 0) -- with two columns SQLite would scan the list
    ORDER BY asset DESC, role DESC, begun DESC, run_id DESC LIMIT 1
) AS run_asset WHERE sound_run_asset(run_asset);

-- name: count_runs
SELECT count(DISTINCT run_id) FROM json_each(?1) CROSS JOIN run_asset ON asset = value AND role = ?2 AND sound_run_asset(run_asset);

-- name: runs_by_number
SELECT run.run_id, name, source.label, job.label, parent.label, deflated, state, run_summary.begun, reads, writes
FROM json_each(?)
LEFT JOIN run ON run.run_id = value
LEFT JOIN run_summary ON run_summary.run_id = value
LEFT JOIN label AS source ON source.label_id = run.source
LEFT JOIN label AS job ON job.label_id = run.job
LEFT JOIN label AS parent ON parent.label_id = run.parent
WHERE sound_run(run) AND sound_label(source) AND sound_label(job) AND sound_label(parent)
    AND CASE WHEN state_crc = crc_of(state) THEN 1 ELSE damaged('run') END
    AND sound_place(run);

-- name: run_states
SELECT value, deflated, state FROM json_each(?) LEFT JOIN run ON run.run_id = value
WHERE sound_run(run) AND CASE WHEN state_crc = crc_of(state) THEN 1 ELSE damaged('run') END;

-- name: runs_by_name
SELECT run.run_id FROM run LEFT JOIN run_summary USING (run_id)
WHERE name = ?1 AND sound_place(run) AND (begun, run.run_id) < (?2, ?3) ORDER BY begun DESC, run.run_id DESC LIMIT ?4;

-- name: count_runs_by_name
SELECT count(begun) FROM run LEFT JOIN run_summary USING (run_id) WHERE name = ? AND sound_place(run);

-- name: unindexed_runs
SELECT run_id FROM run LEFT JOIN run_summary USING (run_id) WHERE run_id > ?1 AND run_summary.run_id IS NULL ORDER BY run_id LIMIT ?2;

-- name: labels
SELECT label_id, label FROM json_each(?) LEFT JOIN label ON label_id = value WHERE sound_label(label);


-- What is dropped after its retention

-- name: old_runs
SELECT run_id FROM run_summary
WHERE run_id > ?1 AND begun < ?2 AND run_id < (SELECT max(run_id) FROM run) AND sound_run_summary(run_summary) ORDER BY run_id LIMIT ?3;

-- name: run_numbers
SELECT job, begun, reads, writes FROM run_summary JOIN run USING (run_id) WHERE run_id = ? AND sound_run_summary(run_summary);

-- name: newer_run_exists
SELECT 1 FROM run_asset WHERE asset = ?1 AND role = ?2 AND (begun, run_id) > (?3, ?4) AND sound_run_asset(run_asset)
ORDER BY begun, run_id LIMIT 1;

-- name: version_is_active
SELECT 1 FROM label CROSS JOIN observation INDEXED BY observation_by_version ON observation.version_id = label_id
CROSS JOIN head ON head.scope_id = observation.scope_id AND head.version_id = label_id
WHERE label = ? AND head.content_id IS NOT NULL LIMIT 1;

-- name: parent_of_run
SELECT parent FROM run WHERE run_id = ?;

-- name: runs_of_parent
SELECT DISTINCT run_id FROM pair WHERE parent = ? AND sound_pair(pair) LIMIT ?;

-- name: drop_run
DELETE FROM run WHERE run_id = ?;

-- name: drop_pairs
DELETE FROM pair WHERE run_id = ?;

-- name: add_dropped_runs
INSERT OR REPLACE INTO dropped_run (run_digest, dropped_on, crc) VALUES (?1, ?2, crc_dropped_run(?1, ?2));

-- name: find_dropped_run
SELECT 1 FROM dropped_run WHERE run_digest = ? AND sound_dropped_run(dropped_run);

-- name: forget_dropped_runs
DELETE FROM dropped_run WHERE run_digest IN (SELECT run_digest FROM dropped_run WHERE dropped_on < ? LIMIT ?);

-- name: drop_event_counts
DELETE FROM event_count WHERE hour < ?;

-- name: old_records
SELECT position, key FROM journal WHERE kind = ?1 AND at < ?2 AND position <= ?3 AND sound_journal(journal) ORDER BY position LIMIT ?4;

-- name: drop_record
DELETE FROM journal WHERE position = ?;

-- name: drop_setting
DELETE FROM setting WHERE name = ?;


-- Raw events, the journal and settings

-- name: last_raw
SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'raw'), 0);

-- name: add_raw
INSERT INTO raw (position, source, received_at, deflated, body, crc) VALUES (?, ?, ?, ?, ?, ?);

-- name: raw
SELECT raw.position, source, received_at, deflated, body, at, type FROM raw LEFT JOIN event USING (position)
WHERE raw.position > ? AND sound_raw(raw) AND iif(event.position IS NULL, 1, sound_event(event)) ORDER BY raw.position LIMIT ?;

-- name: unindexed_raw
SELECT raw.position, source, received_at, deflated, body, NULL, NULL FROM raw LEFT JOIN event USING (position)
WHERE raw.position > ? AND event.position IS NULL AND sound_raw(raw) ORDER BY raw.position LIMIT ?;

-- name: put_events
INSERT OR REPLACE INTO event (position, at, type, crc) VALUES (?, ?, ?, ?);

-- name: events
SELECT event.position, source, received_at, deflated, body, at, type
FROM event LEFT JOIN raw USING (position)
WHERE at >= ?1 AND at < ?2 AND (at, event.position) < (?3, ?4) AND sound_event(event) AND sound_raw(raw)
ORDER BY at DESC, event.position DESC LIMIT ?5;

-- name: count_events
SELECT count(*) FROM event WHERE at >= ?1 AND at < ?2;

-- name: event_counts
SELECT hour, type, events FROM event_count WHERE hour >= ? AND hour < ? AND sound_event_count(event_count);

-- As `check_beside_runs`.
-- name: check_beside_counts
SELECT 1 FROM (SELECT * FROM event_count WHERE hour >= ?2 ORDER BY hour, type LIMIT 1) AS event_count WHERE sound_event_count(event_count)
UNION ALL
SELECT 1 FROM (SELECT * FROM event_count WHERE hour < ?1 ORDER BY hour DESC, type DESC LIMIT 1) AS event_count
WHERE sound_event_count(event_count);

-- name: event_count
SELECT events FROM event_count WHERE hour = ? AND type = ? AND sound_event_count(event_count);

-- name: put_event_counts
INSERT OR REPLACE INTO event_count (hour, type, events, crc) VALUES (?1, ?2, ?3, crc_event_count(?1, ?2, ?3));

-- In parts, so that writers need not wait long.
-- name: prune_events
DELETE FROM event WHERE position IN (SELECT position FROM raw WHERE received_at < ? ORDER BY received_at, position LIMIT 10000);

-- name: prune_raw
DELETE FROM raw WHERE position IN (SELECT position FROM raw WHERE received_at < ? ORDER BY received_at, position LIMIT 10000);

-- name: add_records
INSERT INTO journal (kind, key, at, deflated, body, crc) VALUES (?1, ?2, ?3, ?4, ?5, crc_journal(?1, ?2, ?3, ?4, ?5))
ON CONFLICT (kind, key) DO NOTHING;

-- name: journal
SELECT position, kind, ifnull(key, ''), at, deflated, body FROM journal WHERE position > ? AND sound_journal(journal) ORDER BY position LIMIT ?;

-- name: journal_of_kind
SELECT position, kind, ifnull(key, ''), at, deflated, body FROM journal
WHERE kind = ?3 AND position > ?1 AND sound_journal(journal) ORDER BY position LIMIT ?2;

-- name: setting
SELECT value FROM setting WHERE name = ? AND sound_setting(setting);

-- name: put_setting
INSERT OR REPLACE INTO setting (name, value, crc) VALUES (?1, ?2, crc_setting(?1, ?2));


-- Search

-- name: find_asset
SELECT asset_id FROM asset WHERE kind = ? AND name = ? AND sound_asset(asset);

-- name: columns_of
SELECT name
FROM listing CROSS JOIN json_each(columns) AS of_name LEFT JOIN asset ON asset_id = (3 << 48) + of_name.value
WHERE dataset_id = ? AND sound_listing(listing) AND sound_asset(asset);

-- name: last_listing
SELECT ifnull(max(listing_id), 0) FROM listing;

-- name: last_asset
SELECT ifnull(max(asset_id), ?1) FROM asset WHERE asset_id BETWEEN ?1 AND ?2;

-- name: add_assets
INSERT INTO asset (asset_id, kind, name, crc) VALUES (?1, ?2, ?3, crc_asset(?1, ?2, ?3));

-- name: add_listings
INSERT INTO listing (listing_id, dataset_id, columns, crc) VALUES (?1, ?2, ?3, crc_listing(?1, ?2, ?3));

-- name: add_listed
INSERT INTO listed (rowid, words) VALUES (?, ?);

-- name: add_names
INSERT INTO name (rowid, words) VALUES (?, ?);

-- name: documents_of_scopes
SELECT document_id FROM json_each(?) CROSS JOIN document ON scope_id = value WHERE sound_document(document);

-- name: last_document
SELECT ifnull(max(document_id), 0) FROM document;

-- name: add_documents
INSERT INTO document (document_id, scope_id, asset_id, column_id, crc) VALUES (?1, ?2, ?3, ?4, crc_document(?1, ?2, ?3, ?4));

-- name: add_prose
INSERT INTO prose (rowid, words) VALUES (?, ?);

-- name: remove_documents
DELETE FROM document WHERE document_id = ?;

-- name: remove_prose
DELETE FROM prose WHERE rowid = ?;

-- ?1 the terms as JSON, each quoted for FTS5; ?2 a bit for each of them, all set; ?3 all terms as one FTS5
-- query; ?4 the kinds; ?5 whether columns are wanted. The `terms` of a hit are the bits of the terms that are
-- prefixes of its words. A column has the words of its name (kind 3) and of its dataset's name (kind 18,
-- search_index.py): a hit of either with all terms gives all its columns; two hits that have all terms
-- together give the column that has both names. Columns are ordered by the dataset's name, then their own.
-- name: search
WITH hit AS MATERIALIZED (
    SELECT name.rowid AS asset_id, name.rowid >> 48 AS kind, sum(1 << term.key) AS terms
    FROM json_each(?1) AS term CROSS JOIN name ON name MATCH term.value
    GROUP BY name.rowid
), named_terms AS MATERIALIZED (
    SELECT DISTINCT terms FROM hit WHERE kind = 3
), found AS (
    SELECT asset_id, 0 AS column_id FROM hit WHERE terms = ?2 AND kind <> 3 AND kind < 16
    UNION
    SELECT dataset_id, (3 << 48) + of_name.value
    FROM hit CROSS JOIN listing ON dataset_id = asset_id - (1 << 52) CROSS JOIN json_each(columns) AS of_name
    WHERE ?5 AND terms = ?2 AND kind = 18
    UNION
    SELECT dataset_id, asset_id
    FROM hit CROSS JOIN listed ON listed MATCH format('"%d"', asset_id - (3 << 48)) CROSS JOIN listing ON listing_id = listed.rowid
    WHERE ?5 AND terms = ?2 AND kind = 3
    UNION
    SELECT dataset_id, named.asset_id
    FROM hit AS dataset
    CROSS JOIN listing ON dataset_id = dataset.asset_id - (1 << 52)
    CROSS JOIN json_each(columns) AS of_name
    CROSS JOIN hit AS named ON named.asset_id = (3 << 48) + of_name.value
    WHERE ?5 AND dataset.kind = 18 AND dataset.terms <> ?2 AND named.terms <> ?2 AND dataset.terms | named.terms = ?2
        AND EXISTS (SELECT 1 FROM named_terms WHERE named_terms.terms | dataset.terms = ?2) -- checked before its columns are scanned
    UNION
    SELECT asset_id, column_id FROM prose JOIN document ON document_id = prose.rowid WHERE prose MATCH ?3
)
SELECT CASE WHEN column_id THEN 3 ELSE asset.kind END AS kind, asset.name AS name, named.name AS column_name
FROM found
LEFT JOIN asset ON asset.asset_id = found.asset_id
LEFT JOIN asset AS named ON named.asset_id = column_id
WHERE sound_asset(asset) AND iif(column_id, sound_asset(named), 1) AND CASE WHEN column_id THEN 3 ELSE asset.kind END IN (SELECT value FROM json_each(?4))
ORDER BY 1, 2, 3 LIMIT ?6;

-- ?1 the words as one FTS5 query; ?2 the kinds; ?3 the limit. The best are chosen before they are joined: a common word has many.
-- name: search_texts
WITH best AS MATERIALIZED (
    SELECT rowid, rank FROM prose WHERE prose MATCH ?1 ORDER BY rank LIMIT ?3 * 4
), found AS (
    SELECT asset_id, column_id, min(best.rank) AS place FROM best JOIN document ON document_id = best.rowid GROUP BY asset_id, column_id
)
SELECT CASE WHEN column_id THEN 3 ELSE asset.kind END AS kind, asset.name AS name, named.name AS column_name
FROM found
LEFT JOIN asset ON asset.asset_id = found.asset_id
LEFT JOIN asset AS named ON named.asset_id = column_id
WHERE sound_asset(asset) AND iif(column_id, sound_asset(named), 1) AND CASE WHEN column_id THEN 3 ELSE asset.kind END IN (SELECT value FROM json_each(?2))
ORDER BY place, 1, 2, 3 LIMIT ?3;
