// The queries of a backup. Each but one returns one record: a page as a list.

//// scopes_with_statements
MATCH (s:ScopeState) WHERE s.id > $after
WITH s ORDER BY s.id LIMIT $limit
CALL (s) {
  MATCH (t:Statement) WHERE t.scope = s.id AND t.versionKey IS NOT NULL AND t.observedMicros IS NOT NULL
  RETURN collect([t.observedMicros, t.digest, t.version, t.provisional, t.untilMicros]) AS statements
}
RETURN collect([s.id, s.source, s.parts, statements])

//// all_runs
MATCH (r:Run) WHERE r.key > $after
WITH r ORDER BY r.key LIMIT $limit
RETURN collect([r.key, r.source, r.jobNamespace, r.jobName, r.runId, r.parent, r.state, r.begunMicros, r.reads, r.writes,
  [(r)-[:HAS_PAIR]->(p:Pair) | [p.parent, p.pair, p.covered]]])

//// all_dropped_runs
MATCH (d:DroppedRuns)
RETURN collect([d.digests, d.days])

//// all_packed_times
MATCH (p:PackedTimes)
MATCH (s:ScopeState {id: p.scope})
RETURN s.source, s.parts, p.provisional, p.last, p.first, p.digest, p.times

//// settings
MATCH (s:Setting)
RETURN collect([s.name, s.value])

//// all_event_counts
MATCH (c:EventCount)
RETURN collect([c.hourMicros, c.type, c.events])
