"""Reads sources into statements. Imports `graph`, which never imports it."""
