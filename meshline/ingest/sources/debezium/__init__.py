"""Debezium connectors: `configs` reads them, `databases` names their tables, `topics` their topics, `facts` makes the statements."""

from meshline.ingest.sources.debezium.source import Debezium

__all__ = ["Debezium"]
