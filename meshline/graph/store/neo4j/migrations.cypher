// The schema, created at start. A statement of migration n is called vn_...; each can be repeated
// (two processes may start at once), and none is ever changed: a later one is added instead.
// Indexed strings are hashes: Neo4j refuses to index a value over 8 kB, and names may be longer.

//// v1_meta
CREATE CONSTRAINT meta_key IF NOT EXISTS FOR (m:Meta) REQUIRE m.key IS UNIQUE

//// v1_setting
CREATE CONSTRAINT setting_key IF NOT EXISTS FOR (s:Setting) REQUIRE s.key IS UNIQUE

//// v1_source
CREATE CONSTRAINT source_key IF NOT EXISTS FOR (s:Source) REQUIRE s.key IS UNIQUE

//// v1_scope_key
CREATE CONSTRAINT scope_key IF NOT EXISTS FOR (s:Scope) REQUIRE s.key IS UNIQUE

//// v1_scope_id
CREATE CONSTRAINT scope_id IF NOT EXISTS FOR (s:Scope) REQUIRE s.id IS UNIQUE

//// v1_scope_revision
CREATE INDEX scope_revision IF NOT EXISTS FOR (s:Scope) ON (s.revision)

//// v1_statement_version
CREATE INDEX statement_version IF NOT EXISTS FOR (t:Statement) ON (t.versionKey, t.observedMicros)

//// v1_content
CREATE CONSTRAINT content_digest IF NOT EXISTS FOR (c:Content) REQUIRE c.digest IS UNIQUE

//// v1_run
CREATE CONSTRAINT run_key IF NOT EXISTS FOR (r:Run) REQUIRE r.key IS UNIQUE

//// v1_pair
CREATE INDEX pair_key IF NOT EXISTS FOR (p:Pair) ON (p.key)

//// v1_raw_event
CREATE CONSTRAINT raw_event_position IF NOT EXISTS FOR (e:RawEvent) REQUIRE e.position IS UNIQUE

//// v1_raw_event_received
CREATE INDEX raw_event_received IF NOT EXISTS FOR (e:RawEvent) ON (e.receivedMicros)

//// v1_name
CREATE CONSTRAINT name_id IF NOT EXISTS FOR (n:Name) REQUIRE n.id IS UNIQUE

//// v2_record
CREATE CONSTRAINT record_position IF NOT EXISTS FOR (r:Record) REQUIRE r.position IS UNIQUE

// A record that is always new has no id: absent values are never equal.
//// v2_record_id
CREATE CONSTRAINT record_id IF NOT EXISTS FOR (r:Record) REQUIRE r.id IS UNIQUE

//// v2_record_kind
CREATE INDEX record_kind IF NOT EXISTS FOR (r:Record) ON (r.kindKey, r.position)

// Runs are listed by the text `place`: asset, role, time and run, so that one index finds them in order.
//// v3_run_place
CREATE CONSTRAINT run_place IF NOT EXISTS FOR (u:RunPlace) REQUIRE u.place IS UNIQUE

//// v3_run_id
CREATE INDEX run_id IF NOT EXISTS FOR (r:Run) ON (r.runIdKey)

//// v3_raw_event_place
CREATE INDEX raw_event_place IF NOT EXISTS FOR (e:RawEvent) ON (e.place)

//// v3_event_count
CREATE CONSTRAINT event_count_key IF NOT EXISTS FOR (c:EventCount) REQUIRE c.key IS UNIQUE

//// v3_event_count_hour
CREATE INDEX event_count_hour IF NOT EXISTS FOR (c:EventCount) ON (c.hourMicros)

// The store splits texts into words itself, and joins them by single spaces.
//// v1_names
CREATE FULLTEXT INDEX names IF NOT EXISTS FOR (n:Name) ON EACH [n.words]
OPTIONS {indexConfig: {`fulltext.analyzer`: 'whitespace'}}

//// v1_prose
CREATE FULLTEXT INDEX prose IF NOT EXISTS FOR ()-[r:SAYS]-() ON EACH [r.words]
OPTIONS {indexConfig: {`fulltext.analyzer`: 'whitespace'}}

// What commits write, and what is drawn for people afterwards, are different nodes: neither waits for the locks of the other.
//// v4_scope_state_key
CREATE CONSTRAINT scope_state_key IF NOT EXISTS FOR (s:ScopeState) REQUIRE s.key IS UNIQUE

//// v4_scope_state_id
CREATE CONSTRAINT scope_state_id IF NOT EXISTS FOR (s:ScopeState) REQUIRE s.id IS UNIQUE

//// v4_scope_state_revision
CREATE INDEX scope_state_revision IF NOT EXISTS FOR (s:ScopeState) ON (s.revision)

//// v4_statement_scope
CREATE INDEX statement_scope IF NOT EXISTS FOR (t:Statement) ON (t.scope, t.versionKey, t.observedMicros)

//// v4_change
CREATE CONSTRAINT change_revision IF NOT EXISTS FOR (c:Change) REQUIRE c.revision IS UNIQUE

//// v4_projection
CREATE CONSTRAINT projection_key IF NOT EXISTS FOR (p:Projection) REQUIRE p.key IS UNIQUE

//// v4_no_scope_key
DROP CONSTRAINT scope_key IF EXISTS

//// v4_no_scope_revision
DROP INDEX scope_revision IF EXISTS

//// v4_no_statement_version
DROP INDEX statement_version IF EXISTS

//// v4_no_run_place
DROP CONSTRAINT run_place IF EXISTS

//// v4_run_place
CREATE INDEX run_place_order IF NOT EXISTS FOR (u:RunPlace) ON (u.place)

// What decides whether a run may be dropped: its age, whether its version is active, the runs of its parent.
//// v5_run_begun
CREATE INDEX run_begun IF NOT EXISTS FOR (r:Run) ON (r.begunMicros, r.key)

//// v5_run_parent
CREATE INDEX run_parent IF NOT EXISTS FOR (r:Run) ON (r.parentDigest)

//// v5_scope_state_version
CREATE INDEX scope_state_version IF NOT EXISTS FOR (s:ScopeState) ON (s.versionDigest)

//// v5_dropped_run
CREATE CONSTRAINT dropped_run_digest IF NOT EXISTS FOR (d:DroppedRun) REQUIRE d.digest IS UNIQUE

//// v5_dropped_run_day
CREATE INDEX dropped_run_day IF NOT EXISTS FOR (d:DroppedRun) ON (d.day)

// Times of statements that repeat what their scope stated before and after: a few bytes each in place of a node.
//// v6_packed_times
CREATE CONSTRAINT packed_times_last IF NOT EXISTS FOR (p:PackedTimes) REQUIRE (p.scope, p.provisional, p.last) IS UNIQUE

// Many dropped runs are in one node.
//// v6_dropped_runs
CREATE CONSTRAINT dropped_runs_last IF NOT EXISTS FOR (d:DroppedRuns) REQUIRE d.last IS UNIQUE

//// v6_no_dropped_run_digest
DROP CONSTRAINT dropped_run_digest IF EXISTS

//// v6_no_dropped_run_day
DROP INDEX dropped_run_day IF EXISTS
