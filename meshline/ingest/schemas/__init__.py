"""Schemas of data in files and registries (Avro, JSON Schema), as definitions with their fields. Pure: nothing is read or fetched here."""
