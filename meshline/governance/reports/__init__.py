"""A report as people and programs read it: one format, one module."""
