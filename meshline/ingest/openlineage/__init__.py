"""OpenLineage events -> statements: `events` parses, `runs` merges, `statements` maps, `builder` commits."""
