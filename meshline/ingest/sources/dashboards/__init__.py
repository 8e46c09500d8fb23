"""Sources of consumers: tools with dashboards, charts and reports over the tables of a mesh."""
