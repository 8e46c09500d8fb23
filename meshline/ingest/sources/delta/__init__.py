"""Delta Lake tables: `places` finds them, `log` reads what each version says, `facts` makes the statements."""

from meshline.ingest.sources.delta.source import Delta

__all__ = ["Delta"]
