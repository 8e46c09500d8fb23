"""Schemas of tables and topics: Iceberg, Delta, Avro, JSON Schema."""

from meshline.ingest.proposed.schema.proposing import propose

__all__ = ["propose"]
