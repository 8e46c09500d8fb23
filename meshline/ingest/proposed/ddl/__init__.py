"""DDL scripts: CREATE, ALTER, DROP, applied in order to what the graph knows."""

from meshline.ingest.proposed.ddl.proposing import propose

__all__ = ["propose"]
