"""Column lineage from SQL."""
