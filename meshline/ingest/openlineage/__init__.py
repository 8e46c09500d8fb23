"""OpenLineage events -> statements: `events` parses, `run_state` merges, `run_statements` states, `builder` builds the batch."""
