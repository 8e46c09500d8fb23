"""Schemas in files and registries (Avro, JSON Schema, Protobuf), as definitions with their fields. Nothing is read or fetched here."""
