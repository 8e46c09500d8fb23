-- Queries of the maintenance commands.

-- Rows that refer to rows that do not exist.

-- name: dangling_observation
SELECT count(*) FROM observation
WHERE scope_id NOT IN (SELECT scope_id FROM scope)
   OR content_id NOT IN (SELECT content_id FROM content)
   OR version_id NOT IN (SELECT label_id FROM label);

-- name: dangling_packed_times
SELECT count(*) FROM packed_times
WHERE scope_id NOT IN (SELECT scope_id FROM scope) OR content_id NOT IN (SELECT content_id FROM content);

-- name: dangling_head
SELECT count(*) FROM head
WHERE scope_id NOT IN (SELECT scope_id FROM scope)
   OR content_id IS NOT NULL AND (content_id NOT IN (SELECT content_id FROM content) OR version_id NOT IN (SELECT label_id FROM label));

-- name: dangling_run
SELECT count(*) FROM run
WHERE source NOT IN (SELECT label_id FROM label)
   OR job NOT IN (SELECT label_id FROM label)
   OR parent NOT IN (SELECT label_id FROM label);

-- name: dangling_pair
SELECT count(*) FROM pair
WHERE run_id NOT IN (SELECT run_id FROM run) OR parent NOT IN (SELECT label_id FROM label);

-- name: dangling_run_summary
SELECT count(*) FROM run_summary WHERE run_id NOT IN (SELECT run_id FROM run);

-- name: dangling_run_asset
SELECT count(*) FROM run_asset
WHERE run_id NOT IN (SELECT run_id FROM run_summary) OR asset NOT IN (SELECT label_id FROM label);

-- name: dangling_event
SELECT count(*) FROM event WHERE position NOT IN (SELECT position FROM raw);

-- name: dangling_document
SELECT count(*) FROM document
WHERE scope_id NOT IN (SELECT scope_id FROM scope)
   OR asset_id NOT IN (SELECT asset_id FROM asset)
   OR column_id > 0 AND column_id NOT IN (SELECT asset_id FROM asset);

-- name: all_contents
SELECT content_id, digest, deflated, blob FROM content;

-- name: all_states
SELECT run_id, deflated, state FROM run;

-- name: summaries_from
SELECT run_id, job, begun, reads, writes FROM run_summary JOIN run USING (run_id) WHERE run_id > ? ORDER BY run_id LIMIT ?;

-- name: run_assets_exist
SELECT count(*) FROM run_asset WHERE asset = ? AND role = ? AND begun = ? AND run_id = ?;

-- name: count_run_assets
SELECT count(*) FROM run_asset;

-- name: head_rows_from
SELECT scope_id, content_id, observed_at, valid_from, last_observed, version_id, provisional FROM head WHERE scope_id > ?
ORDER BY scope_id LIMIT ?;

-- name: observed_without_head
SELECT count(*) FROM (SELECT DISTINCT scope_id FROM observation) WHERE scope_id NOT IN (SELECT scope_id FROM head);

-- name: change_span
SELECT count(*), ifnull(min(revision), 0), ifnull(max(revision), 0) FROM change;

-- name: greatest_head_revision
SELECT ifnull(max(revision), 0) FROM head;

-- Rows left over from withdrawn statements. Content 0 is the tombstone.

-- name: remove_unused_contents
DELETE FROM content WHERE content_id > 0
    AND content_id NOT IN (SELECT content_id FROM observation)
    AND content_id NOT IN (SELECT content_id FROM packed_times)
    AND content_id NOT IN (SELECT content_id FROM head WHERE content_id IS NOT NULL);

-- name: remove_unused_labels
DELETE FROM label WHERE label_id NOT IN (
    SELECT version_id FROM observation
    UNION SELECT version_id FROM head
    UNION SELECT source FROM run UNION SELECT job FROM run UNION SELECT parent FROM run
    UNION SELECT parent FROM pair
    UNION SELECT asset FROM run_asset
);

-- name: search_tables
SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '% USING fts5 %';

-- name: remove_old_raw
DELETE FROM raw WHERE received_at < ?;

-- name: remove_old_events
DELETE FROM event WHERE position NOT IN (SELECT position FROM raw);

-- name: tables
SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL TABLE%' AND name NOT LIKE 'sqlite_%';


-- A copy of another store

-- name: copy_records
INSERT INTO journal (position, kind, key, at, deflated, body, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, crc_journal(?2, ?3, ?4, ?5, ?6));

-- name: copy_packed_times
INSERT INTO packed_times (scope_id, provisional, last, first, content_id, times, crc)
SELECT scope_id, ?3, ?4, ?5, content_id, ?7, crc_packed_times(scope_id, ?3, ?4, ?5, content_id, ?7)
FROM scope JOIN content ON digest = ?6 WHERE scope = ?2 AND source = ?1;

-- name: forget_last_record
DELETE FROM sqlite_sequence WHERE name = 'journal';

-- name: put_last_record
INSERT INTO sqlite_sequence (name, seq) VALUES ('journal', ?);
