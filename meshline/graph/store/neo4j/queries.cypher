// Each query returns at most one record, with lists: a record per row is ten times slower.

// The schema and the one lock

//// meta
OPTIONAL MATCH (m:Meta {key: 'meshline'})
RETURN m.schema

//// make_meta
MERGE (m:Meta {key: 'meshline'})
ON CREATE SET m.revision = 0, m.scopes = 0, m.events = 0
SET m.schema = $schema
MERGE (p:Projection {key: 'meshline'})
SET p.revision = CASE WHEN p.revision < m.revision THEN p.revision ELSE m.revision END

// A :Scope of schema 3 was both: what commits write becomes its :ScopeState.
//// move_scopes
MATCH (s:Scope) WHERE s.statements IS NOT NULL
WITH s, properties(s) AS was LIMIT $limit
SET s:ScopeState
REMOVE s:Scope, s.kind, s.observedAt, s.validFrom, s.lastObserved
CREATE (d:Scope)
SET d = was
REMOVE d.key, d.revision, d.statements, d.size
WITH s, d
CALL (s, d) { MATCH (o:Source)-[r:HAS_SCOPE]->(s) CREATE (o)-[:HAS_SCOPE]->(d) DELETE r }
CALL (s, d) { MATCH (s)-[r:SAYS]->(n) CREATE (d)-[q:SAYS]->(n) SET q = properties(r) DELETE r }
CALL (s, d) { MATCH (s)-[r:MENTIONS]->(n) CREATE (d)-[:MENTIONS]->(n) DELETE r }
CALL (s) { MATCH (s)-[r:HAS_STATEMENT]->() DELETE r }
RETURN count(*)

// What schema 5 finds by a digest
//// scopes_with_version
MATCH (s:ScopeState) WHERE s.id > $after AND s.version IS NOT NULL
WITH s ORDER BY s.id LIMIT $limit
RETURN collect([s.id, s.version])

//// set_version_digests
UNWIND $rows AS row
MATCH (s:ScopeState {id: row.of})
SET s.versionDigest = row.digest

//// runs_with_parent
MATCH (r:Run) WHERE r.key > $after AND r.parent <> ''
WITH r ORDER BY r.key LIMIT $limit
RETURN collect([r.key, r.parent])

//// set_parent_digests
UNWIND $rows AS row
MATCH (r:Run {key: row.of})
SET r.parentDigest = row.digest

// Runs of schema 2
//// runs_without_id_digest
MATCH (r:Run) WHERE r.key > $after AND r.runIdKey IS NULL
WITH r ORDER BY r.key LIMIT $limit
RETURN collect([r.key, r.runId])

//// set_id_digests
UNWIND $rows AS row
MATCH (r:Run {key: row.of})
SET r.runIdKey = row.digest

// What schema 7 draws no more
//// page_of_drawn_scopes
MATCH (s:Scope) WHERE s.id > $after
WITH s ORDER BY s.id LIMIT $limit
RETURN collect(s.id)

// row: scope, ids of assets
//// remove_implied
UNWIND $rows AS row
MATCH (s:Scope {id: row[0]})
UNWIND row[1] AS id
MATCH (n:Name {id: id})
MATCH (s)-[r:SAYS|MENTIONS]->(n)
DELETE r

//// unfinished_indexes
SHOW INDEXES YIELD name, state, failureMessage WHERE state <> 'ONLINE'
RETURN collect([name, state, failureMessage])

//// lock
MATCH (m:Meta {key: 'meshline'})
SET m.locked = true
RETURN m.revision, m.scopes, m.events, coalesce(m.records, 0), m.packedBefore

//// counters
MATCH (m:Meta {key: 'meshline'})
RETURN m.revision, m.scopes, m.events, coalesce(m.records, 0), m.packedBefore

//// set_counters
MATCH (m:Meta {key: 'meshline'})
SET m.revision = $revision, m.scopes = $scopes, m.events = $events, m.records = $records,
  m.changeTimes = CASE
    WHEN $revision = $before THEN m.changeTimes
    WHEN m.changeTimesTo = $before THEN (m.changeTimes + $earliest)[-256..]
    ELSE [$earliest] END,
  m.changeTimesTo = CASE WHEN $revision = $before THEN m.changeTimesTo ELSE $revision END

// The earliest times of what the last commits stated or withdrew, up to a revision
//// change_times
MATCH (m:Meta {key: 'meshline'})
RETURN m.revision, m.changeTimesTo, m.changeTimes

//// setting
OPTIONAL MATCH (s:Setting {key: $key})
RETURN s.value

//// set_settings
UNWIND $rows AS row
MERGE (s:Setting {key: row.key})
SET s.name = row.name, s.value = row.value

//// set_setting
MERGE (s:Setting {key: $key})
SET s.name = $name, s.value = $value

// Scopes and statements

//// scopes_by_key
UNWIND $keys AS key
MATCH (s:ScopeState {key: key})
RETURN collect([s.key, s.id, s.digest, s.observedMicros, s.validFromMicros, s.lastObservedMicros, s.version, s.provisional, s.statements])

//// statements_of_versions
UNWIND $keys AS key
MATCH (t:Statement) WHERE t.scope = key[0] AND t.versionKey = key[1] AND t.observedMicros IS NOT NULL
RETURN collect([t.scope, t.observedMicros, t.digest, t.version, t.provisional, t.untilMicros])

//// statements_at
UNWIND $rows AS row
MATCH (t:Statement {scope: row.scope, versionKey: row.key, observedMicros: row.at})
RETURN collect([t.scope, t.observedMicros, t.digest, t.version, t.provisional, t.untilMicros])

//// statements_of_scopes
UNWIND $ids AS id
MATCH (t:Statement) WHERE t.scope = id AND t.versionKey IS NOT NULL AND t.observedMicros IS NOT NULL
RETURN collect([t.scope, t.observedMicros, t.digest, t.version, t.provisional, t.untilMicros])

//// statements_of_scopes_until
UNWIND $ids AS id
MATCH (t:Statement) WHERE t.scope = id AND t.versionKey IS NOT NULL AND t.observedMicros <= $at
RETURN collect([t.scope, t.observedMicros, t.digest, t.version, t.provisional, t.untilMicros])

// Several of a scope, if several versions were observed at its newest time.
//// newest_statements_until
UNWIND $ids AS id
MATCH (t:Statement) WHERE t.scope = id AND t.versionKey IS NOT NULL AND t.observedMicros <= $at AND NOT t.provisional
WITH id, max(t.observedMicros) AS newest
MATCH (t:Statement) WHERE t.scope = id AND t.versionKey IS NOT NULL AND t.observedMicros = newest AND NOT t.provisional
RETURN collect([id, newest, t.digest, t.version])

//// add_scopes
UNWIND $rows AS row
CREATE (s:ScopeState)
SET s = row

//// delete_statements
UNWIND $rows AS row
MATCH (t:Statement {scope: row.scope, versionKey: row.versionKey, observedMicros: row.observedMicros})
WHERE t.digest = row.digest AND t.provisional = row.provisional
  AND (t.untilMicros = row.untilMicros OR t.untilMicros IS NULL AND row.untilMicros IS NULL)
DETACH DELETE t

//// add_statements
UNWIND $rows AS row
CREATE (t:Statement)
SET t = row

//// set_heads
UNWIND $rows AS row
MATCH (s:ScopeState {id: row.id})
SET s += row

// What the projection has to catch up with: one node for each commit that changed statements, until it is drawn.
//// add_changes
UNWIND $rows AS row
CREATE (:Change {revision: row.revision, at: datetime(), scopes: row.scopes, contents: row.contents})

//// known_contents
UNWIND $digests AS digest
MATCH (c:Content {digest: digest})
RETURN collect([c.digest])

//// add_contents
UNWIND $rows AS row
CREATE (c:Content {digest: row.digest, blob: row.blob})

//// contents
UNWIND $digests AS digest
MATCH (c:Content {digest: digest})
RETURN collect([c.digest, c.blob])

// Reading heads

//// page_of_heads
MATCH (s:ScopeState) WHERE s.id > $after
WITH s ORDER BY s.id LIMIT $limit
RETURN collect([s.id, s.source, s.parts, s.digest, s.observedMicros, s.validFromMicros, s.lastObservedMicros, s.version, s.provisional, s.size, s.statements, s.revision])

//// heads_by_id
UNWIND $ids AS id
MATCH (s:ScopeState {id: id})
RETURN collect([s.id, s.source, s.parts, s.digest, s.observedMicros, s.validFromMicros, s.lastObservedMicros, s.version, s.provisional, s.size, s.statements, s.revision])

//// scopes_valid_from
MATCH (s:ScopeState) WHERE s.digest IS NULL OR s.validFromMicros > $since
RETURN collect([s.id])

//// heads_since
MATCH (s:ScopeState) WHERE s.revision > $since
RETURN collect([s.id, s.source, s.parts, s.digest, s.observedMicros, s.validFromMicros, s.lastObservedMicros, s.version, s.provisional, s.size, s.statements, s.revision])

// Runs, pairs, raw events, the journal

//// runs
UNWIND $keys AS key
MATCH (r:Run {key: key})
RETURN collect([r.key, r.source, r.jobNamespace, r.jobName, r.runId, r.parent, r.state, r.begunMicros, r.reads, r.writes])

//// runs_with_pairs
UNWIND $keys AS key
MATCH (r:Run {key: key})
RETURN collect([r.key, r.source, r.jobNamespace, r.jobName, r.runId, r.parent, r.state, r.begunMicros, r.reads, r.writes,
  [(r)-[:HAS_PAIR]->(p:Pair) | [p.parent, p.pair, p.covered]]])

//// siblings
UNWIND $keys AS key
MATCH (p:Pair {key: key})<-[:HAS_PAIR]-(r:Run)
RETURN collect([p.key, p.covered, r.jobNamespace, r.jobName, r.runId])

//// add_runs
UNWIND $rows AS row
CREATE (r:Run)
SET r = row

//// set_runs
UNWIND $rows AS row
MATCH (r:Run {key: row.key})
SET r = row

//// delete_pairs
UNWIND $rows AS row
MATCH (:Run {key: row.run})-[:HAS_PAIR]->(p:Pair {key: row.key, covered: row.covered})
DETACH DELETE p

//// add_pairs
UNWIND $rows AS row
MATCH (r:Run {key: row.run})
CREATE (r)-[:HAS_PAIR]->(:Pair {key: row.key, parent: row.parent, pair: row.pair, covered: row.covered})

//// delete_run_places
UNWIND $rows AS place
MATCH (u:RunPlace {place: place})
DETACH DELETE u

//// add_run_places
UNWIND $rows AS row
CREATE (:RunPlace {place: row.place, run: row.run})

//// last_run_places
UNWIND range(0, size($ranges) - 1) AS number
CALL (number) {
  MATCH (u:RunPlace) WHERE u.place > $ranges[number][0] AND u.place < $ranges[number][1]
  WITH u ORDER BY u.place DESC LIMIT $limit
  RETURN collect([u.place, u.run]) AS places
}
WITH number, places ORDER BY number
RETURN collect(places)

//// count_run_places
UNWIND $ranges AS range
MATCH (u:RunPlace) WHERE u.place > range[0] AND u.place < range[1]
RETURN count(DISTINCT u.run)

//// runs_by_id
MATCH (r:Run) WHERE r.runIdKey = $id AND (r.begunMicros < $begun OR r.begunMicros = $begun AND r.key < $key)
WITH r ORDER BY r.begunMicros DESC, r.key DESC LIMIT $limit
RETURN collect(r.key)

//// count_runs_by_id
MATCH (r:Run) WHERE r.runIdKey = $id AND r.begunMicros IS NOT NULL
RETURN count(r)

//// unindexed_runs
MATCH (r:Run) WHERE r.key > $after AND r.begunMicros IS NULL
WITH r ORDER BY r.key LIMIT $limit
RETURN collect(r.key)

//// dropped_runs
UNWIND $digests AS digest
CALL (digest) {
  MATCH (d:DroppedRuns) WHERE d.last >= digest
  WITH d ORDER BY d.last LIMIT 1
  RETURN digest IN d.digests AS dropped
}
WITH digest WHERE dropped
RETURN collect(digest)

//// add_raw_events
UNWIND $rows AS row
CREATE (e:RawEvent)
SET e = row

//// raw_events
MATCH (e:RawEvent) WHERE e.position > $after
WITH e ORDER BY e.position LIMIT $limit
RETURN collect([e.position, e.source, e.receivedMicros, e.deflated, e.body, e.atMicros, e.type])

//// unindexed_raw_events
MATCH (e:RawEvent) WHERE e.position > $after AND e.atMicros IS NULL
WITH e ORDER BY e.position LIMIT $limit
RETURN collect([e.position, e.source, e.receivedMicros, e.deflated, e.body, null, null])

//// index_raw_events
UNWIND $rows AS row
MATCH (e:RawEvent {position: row.position})
SET e += row

//// events
MATCH (e:RawEvent) WHERE e.place >= $since AND e.place < $until AND e.place < $before
WITH e ORDER BY e.place DESC LIMIT $limit
RETURN collect([e.position, e.source, e.receivedMicros, e.deflated, e.body, e.atMicros, e.type])

//// count_events
MATCH (e:RawEvent) WHERE e.place >= $since AND e.place < $until
RETURN count(e)

//// add_event_counts
UNWIND $rows AS row
MERGE (c:EventCount {key: row.key})
ON CREATE SET c.hourMicros = row.hour, c.hour = datetime(row.at), c.type = row.type, c.events = row.events
ON MATCH SET c.events = c.events + row.events

//// event_counts
MATCH (c:EventCount) WHERE c.hourMicros >= $since AND c.hourMicros < $until
RETURN collect([c.hourMicros, c.type, c.events])

//// prune_raw_events
MATCH (e:RawEvent) WHERE e.receivedMicros < $before
WITH e LIMIT $limit
DELETE e
RETURN count(*)

//// records_by_id
UNWIND $ids AS id
MATCH (r:Record {id: id})
RETURN collect(r.id)

//// add_records
UNWIND $rows AS row
CREATE (r:Record)
SET r = row, r.at = datetime(row.at)

//// records
MATCH (r:Record) WHERE r.position > $after
WITH r ORDER BY r.position LIMIT $limit
RETURN collect([r.position, r.kind, r.key, r.atMicros, r.deflated, r.body])

//// records_of_kind
MATCH (r:Record) WHERE r.kindKey = $kind AND r.position > $after
WITH r ORDER BY r.position LIMIT $limit
RETURN collect([r.position, r.kind, r.key, r.atMicros, r.deflated, r.body])

// What is dropped after its retention

// The runs after one, in the order of their times: those of its time, and the later ones. With OR, or by another plan than this, the server
// looks at all runs.
//// old_runs
CALL () {
  MATCH (r:Run) USING INDEX SEEK r:Run(begunMicros, key) WHERE r.begunMicros = $since AND r.key > $after
  WITH r ORDER BY r.begunMicros, r.key LIMIT $limit
  RETURN r
UNION ALL
  MATCH (r:Run) USING INDEX SEEK r:Run(begunMicros, key) WHERE r.begunMicros > $since AND r.begunMicros < $before AND r.key IS NOT NULL
  WITH r ORDER BY r.begunMicros, r.key LIMIT $limit
  RETURN r
}
WITH r ORDER BY r.begunMicros, r.key LIMIT $limit
RETURN collect([r.begunMicros, r.key])

//// newer_runs
UNWIND range(0, size($ranges) - 1) AS number
CALL (number) {
  MATCH (u:RunPlace) WHERE u.place > $ranges[number][0] AND u.place < $ranges[number][1]
  WITH u LIMIT 1
  RETURN count(u) AS newer
}
WITH number, newer ORDER BY number
RETURN collect(newer)

//// active_versions
UNWIND $digests AS digest
MATCH (s:ScopeState {versionDigest: digest})
RETURN collect(DISTINCT s.version)

//// runs_of_parent
MATCH (r:Run {parentDigest: $parent}) WHERE EXISTS { (r)-[:HAS_PAIR]->(:Pair) }
WITH r LIMIT $limit
RETURN collect(r.key)

// The nodes to which runs belong; for those after all others, also the one before.
//// nodes_of_dropped_runs
UNWIND $digests AS digest
CALL (digest) {
  MATCH (d:DroppedRuns) WHERE d.last >= digest
  WITH d ORDER BY d.last LIMIT 1
  RETURN d
UNION ALL
  MATCH (d:DroppedRuns) WHERE d.last < digest
  WITH d ORDER BY d.last DESC LIMIT 1
  RETURN d
}
WITH DISTINCT d
RETURN collect([d.last, d.digests, d.days])

//// delete_dropped_runs
UNWIND $rows AS last
MATCH (d:DroppedRuns {last: last})
DELETE d

//// add_dropped_runs
UNWIND $rows AS row
CREATE (d:DroppedRuns)
SET d = row

// What schema 5 has of them
//// take_dropped_runs
MATCH (d:DroppedRun)
WITH d LIMIT $limit
WITH d, d.digest AS digest, d.day AS day
DELETE d
RETURN collect([digest, day])

//// drop_runs
UNWIND $rows AS key
MATCH (r:Run {key: key})
OPTIONAL MATCH (r)-[:HAS_PAIR]->(p:Pair)
DETACH DELETE r, p

//// drop_event_counts
MATCH (c:EventCount) WHERE c.hourMicros < $before
WITH c LIMIT $limit
DELETE c
RETURN count(*)

// Each node once a month, not each day: it is written again.
//// forget_dropped_runs
MATCH (d:DroppedRuns) WHERE any(day IN d.days WHERE day < $before - 30)
WITH d LIMIT $limit
WITH d, d.digests AS digests, d.days AS days
WITH d, digests, days, [place IN range(0, size(days) - 1) WHERE days[place] >= $before] AS kept
SET d.digests = [place IN kept | digests[place]], d.days = [place IN kept | days[place]]
FOREACH (_ IN CASE WHEN size(kept) = 0 THEN [1] ELSE [] END | DELETE d)
RETURN count(*)

//// drop_records
MATCH (r:Record) WHERE r.kindKey = $kind AND r.position <= $position AND r.atMicros < $before
WITH r ORDER BY r.position LIMIT $limit
WITH r, r.key AS key
DELETE r
RETURN collect(key)

//// drop_settings
UNWIND $rows AS key
MATCH (s:Setting {key: key})
DELETE s

// Statements that are packed: what they repeat, and when, is in a :PackedTimes

//// set_packed_before
MATCH (m:Meta {key: 'meshline'})
SET m.packedBefore = CASE WHEN m.packedBefore > $before THEN m.packedBefore ELSE $before END

//// repeated_scopes
MATCH (s:ScopeState) WHERE s.id > $after AND s.statements > 1
WITH s ORDER BY s.id LIMIT $limit
RETURN collect([s.id, s.statements])

//// old_statements
UNWIND $scopes AS scope
CALL (scope) {
  MATCH (t:Statement) WHERE t.scope = scope[0] AND t.versionKey IS NOT NULL AND t.observedMicros >= scope[1] AND t.observedMicros < $before
  WITH t ORDER BY t.observedMicros, t.digest, t.version LIMIT $limit
  RETURN t
}
RETURN collect([t.scope, t.observedMicros, t.digest, t.version, t.provisional, t.untilMicros, elementId(t)])

//// stored_run_ids
UNWIND $ids AS id
MATCH (r:Run {runIdKey: id})
RETURN collect(DISTINCT id)

//// scopes_of_kind
MATCH (s:ScopeState) WHERE s.id > $after
WITH s ORDER BY s.id LIMIT $limit
RETURN max(s.id), collect(CASE WHEN s.parts[0] = $kind THEN [s.id, s.parts[1], s.parts[2]] END)

//// delete_nodes
UNWIND $rows AS node
MATCH (n) WHERE elementId(n) = node
DELETE n

//// count_packed
UNWIND $rows AS row
MATCH (s:ScopeState {id: row.id})
SET s.statements = s.statements - row.packed

// The block in which a time is or which is the next after it, and the one before that
//// blocks_about
UNWIND $rows AS row
CALL (row) {
  MATCH (p:PackedTimes) WHERE p.scope = row[0] AND p.provisional = row[1] AND p.last < row[2]
  WITH p ORDER BY p.last DESC LIMIT 1
  RETURN p
UNION ALL
  MATCH (p:PackedTimes) WHERE p.scope = row[0] AND p.provisional = row[1] AND p.last >= row[2]
  WITH p ORDER BY p.last LIMIT 1
  RETURN p
}
RETURN collect([p.scope, p.provisional, p.last, p.first, p.digest, p.times])

//// blocks_within
UNWIND $rows AS row
MATCH (p:PackedTimes) WHERE p.scope = row[0] AND p.provisional = row[1] AND p.last >= row[2] AND p.first <= row[3]
RETURN collect([p.scope, p.provisional, p.last, p.first, p.digest, p.times])

//// blocks_of_scopes
MATCH (s:ScopeState) WHERE s.id > $after
WITH s.id AS id ORDER BY id LIMIT $limit
CALL (id) {
  MATCH (p:PackedTimes) WHERE p.scope = id AND p.provisional >= 0 AND p.last IS NOT NULL
  RETURN collect([p.scope, p.provisional, p.last, p.first, p.digest, p.times]) AS blocks
}
RETURN max(id), collect(blocks)

// For each span of times, whether another content was stated in it
//// parted_spans
UNWIND range(0, size($rows) - 1) AS number
CALL (number) {
  MATCH (t:Statement) WHERE t.scope = $rows[number][0] AND t.versionKey IS NOT NULL
    AND t.observedMicros > $rows[number][1] AND t.observedMicros < $rows[number][2]
    AND t.provisional = $rows[number][3] AND t.digest <> $rows[number][4]
  WITH t LIMIT 1
  RETURN count(t) AS others
}
WITH number, others ORDER BY number
RETURN collect(others)

//// delete_blocks
UNWIND $rows AS row
MATCH (p:PackedTimes {scope: row.scope, provisional: row.provisional, last: row.last})
DELETE p

//// add_blocks
UNWIND $rows AS row
CREATE (p:PackedTimes)
SET p = row

// The projection for people. Its nodes are written by the projector alone, never by a commit: they share no locks. A :Name exists for every name that was ever stated, and search finds it. It has the
// labels :Asset and that of its kind while an active statement refers to it.

//// lock_projection
MATCH (p:Projection {key: 'meshline'})
SET p.locked = true
RETURN p.revision

//// set_projection
MATCH (p:Projection {key: 'meshline'})
SET p.revision = $revision
WITH p
MATCH (c:Change) WHERE c.revision <= $revision
DELETE c

//// projection
MATCH (p:Projection {key: 'meshline'})
MATCH (m:Meta {key: 'meshline'})
OPTIONAL MATCH (c:Change) WHERE c.revision > p.revision
WITH p, m, min(c.at) AS since
RETURN m.revision, p.revision, coalesce(datetime().epochMillis - since.epochMillis, 0)

// The contents that are not drawn: those that commits added, and those that are active in changed scopes
//// pending_contents
MATCH (p:Projection {key: 'meshline'})
MATCH (c:Change) WHERE c.revision > p.revision
WITH collect(c.contents) AS contents, collect(c.scopes) AS scopes
CALL (scopes) {
  UNWIND scopes AS some
  UNWIND some AS id
  WITH DISTINCT id
  MATCH (s:ScopeState {id: id}) WHERE s.digest IS NOT NULL
  RETURN collect(DISTINCT s.digest) AS active
}
RETURN contents, active, reduce(ids = [], some IN scopes | ids + some)

// The scopes and the new contents of the first commits that are not drawn
//// pending_changes
MATCH (p:Projection {key: 'meshline'})
CALL (p) {
  MATCH (c:Change) WHERE c.revision > p.revision
  WITH c ORDER BY c.revision LIMIT $limit
  RETURN collect([c.revision, c.scopes, c.contents]) AS changes
}
RETURN p.revision, changes

//// drawn_scopes
UNWIND $ids AS id
MATCH (s:Scope {id: id})
RETURN collect([s.id, s.digest, s.observedMicros, s.validFromMicros, s.lastObservedMicros, s.version, s.provisional])

//// stating_scopes
UNWIND $ids AS id
MATCH (s:Scope {id: id}) WHERE s.digest IS NOT NULL
RETURN collect([s.id, s.source, s.observedMicros, s.digest])

//// add_drawn_scopes
UNWIND $rows AS row
MERGE (o:Source {key: row.sourceKey}) ON CREATE SET o.name = row.source, o.kind = row.sourceKind
CREATE (o)-[:HAS_SCOPE]->(:Scope {id: row.id, source: row.source, kind: row.kind, parts: row.parts})

//// set_drawn_scopes
UNWIND $rows AS row
MATCH (s:Scope {id: row.id})
SET s += row, s.observedAt = datetime(row.observedAt), s.validFrom = datetime(row.validFrom), s.lastObserved = datetime(row.lastObserved)

//// known_names
UNWIND $ids AS id
MATCH (n:Name {id: id})
RETURN collect([n.id, n:Asset])

// row: the properties of a node
//// add_names
UNWIND $rows AS row
CREATE (n:Name)
SET n = row

//// add_assets
UNWIND $rows AS row
CREATE (n:Name:Asset:<kind>)
SET n = row

//// show_assets
UNWIND $rows AS row
MATCH (n:Name {id: row.id})
SET n:Asset:<kind>, n += row

// Of assets that may not show what they shall, what is stated of them, and the scopes that list them as columns. row: id, [name, value] of
// what they shall show (null: it is not known).
//// contested_stated
UNWIND $rows AS row
MATCH (n:Name {id: row[0]})
WHERE row[1] IS NULL OR any(pair IN row[1] WHERE n[pair[0]] IS NULL OR n[pair[0]] <> pair[1])
RETURN collect([row[0], [(s:Scope)-[r:SAYS]->(n) | [s.id, s.source, s.observedMicros, properties(r)]],
  reduce(ids = [], some IN [()-[r:HAS_COLUMN]->(n) | r.scopes] | ids + some)])

// The beginning of a query whose parts refer to nodes by position. In their rows, row[0] are positions: of assets, or of the start and the
// end of each relationship.
//// find_nodes
UNWIND range(0, size($ids) - 1) AS at
MATCH (n:Name {id: $ids[at]})
WITH n ORDER BY at
WITH collect(n) AS nodes

// row: positions, scope
//// add_mentions
UNWIND $rows AS row
MATCH (s:Scope {id: row[1]})
UNWIND row[0] AS at
WITH s, nodes[at] AS n
CREATE (s)-[:MENTIONS]->(n)

// row: positions, scope, properties of each
//// add_stated
UNWIND $rows AS row
MATCH (s:Scope {id: row[1]})
UNWIND range(0, size(row[0]) - 1) AS at
WITH s, nodes[row[0][at]] AS n, row[2][at] AS stated
CREATE (s)-[r:SAYS]->(n)
SET r += stated

// row: positions, scope, properties of each
//// change_stated
UNWIND $rows AS row
MATCH (s:Scope {id: row[1]})
UNWIND range(0, size(row[0]) - 1) AS at
WITH s, nodes[row[0][at]] AS n, row[2][at] AS stated
MATCH (s)-[r:SAYS]->(n)
SET r = stated

//// remove_stated
UNWIND $rows AS row
MATCH (s:Scope {id: row[1]})
UNWIND row[0] AS at
WITH s, nodes[at] AS n
MATCH (s)-[r:SAYS]->(n)
DELETE r

//// remove_mentions
UNWIND $rows AS row
MATCH (s:Scope {id: row[1]})
UNWIND row[0] AS at
WITH s, nodes[at] AS n
MATCH (s)-[r:MENTIONS]->(n)
DELETE r

// row: positions, properties
//// create_links
UNWIND $rows AS row
UNWIND range(0, size(row[0]) - 1, 2) AS at
WITH nodes[row[0][at]] AS a, nodes[row[0][at + 1]] AS b, row[1] AS given
CREATE (a)-[r:<edge>]->(b)
SET r += given

//// merge_flows
UNWIND $rows AS row
UNWIND range(0, size(row[0]) - 1, 2) AS at
WITH nodes[row[0][at]] AS a, nodes[row[0][at + 1]] AS b, row[1] AS given
MERGE (a)-[r:<edge> {type: given.type, subtype: given.subtype, masking: given.masking, covered: given.covered, job: given.job}]->(b)
ON CREATE SET r = given
ON MATCH SET r.scopes = r.scopes + given.scopes

//// merge_edges
UNWIND $rows AS row
UNWIND range(0, size(row[0]) - 1, 2) AS at
WITH nodes[row[0][at]] AS a, nodes[row[0][at + 1]] AS b, row[1] AS given
MERGE (a)-[r:<edge> {said: given["said"]}]->(b)
ON CREATE SET r = given
ON MATCH SET r.scopes = r.scopes + given.scopes

// The scopes that remain in r.scopes state the relationship, too.
//// remove_flows
UNWIND $rows AS row
UNWIND range(0, size(row[0]) - 1, 2) AS at
WITH nodes[row[0][at]] AS a, nodes[row[0][at + 1]] AS b, row[1] AS given
MATCH (a)-[r:<edge> {type: given.type, subtype: given.subtype, masking: given.masking, covered: given.covered, job: given.job}]->(b)
SET r.scopes = [scope IN r.scopes WHERE NOT scope IN given.scopes]
WITH r WHERE size(r.scopes) = 0
DELETE r

//// remove_edges
UNWIND $rows AS row
UNWIND range(0, size(row[0]) - 1, 2) AS at
WITH nodes[row[0][at]] AS a, nodes[row[0][at + 1]] AS b, row[1] AS given
MATCH (a)-[r:<edge> {said: given["said"]}]->(b)
SET r.scopes = [scope IN r.scopes WHERE NOT scope IN given.scopes]
WITH r WHERE size(r.scopes) = 0
DELETE r

// row: positions (one), properties
//// set_attributes
UNWIND $rows AS row
WITH nodes[row[0][0]] AS n, row[1] AS given
SET n += given

//// hide_unstated
UNWIND $rows AS id
MATCH (n:Name {id: id}) WHERE NOT EXISTS { (n)--() }
REMOVE n:Asset:Domain:DataProduct:Dataset:Column:Job:Consumer:Owner:Contract, n.name, n.qualifiedName, n.namespace, n.dataset

// Search. The prose of the scopes `$pending` is not as it is drawn.

//// search
CALL {
  CALL db.index.fulltext.queryNodes('names', $query) YIELD node
  RETURN node AS n
  UNION
  CALL db.index.fulltext.queryRelationships('prose', $query) YIELD relationship
  WITH relationship WHERE NOT startNode(relationship).id IN $pending
  RETURN endNode(relationship) AS n
}
WITH n WHERE size($kinds) = 0 OR n.kind IN $kinds
WITH n ORDER BY n.sort LIMIT $limit
RETURN collect([n.kind, n.parts])

//// search_texts
CALL db.index.fulltext.queryRelationships('prose', $query, {limit: $limit * 4}) YIELD relationship, score
WITH relationship, score WHERE NOT startNode(relationship).id IN $pending
WITH endNode(relationship) AS n, max(score) AS score
WHERE size($kinds) = 0 OR n.kind IN $kinds
WITH n ORDER BY score DESC, n.sort LIMIT $limit
RETURN collect([n.kind, n.parts])
