"""OpenLineage events -> statements: `events` parses, `run_state` merges, `run_statements` maps, `builder` makes the batch."""
