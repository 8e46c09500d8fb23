"""Delta Lake tables: `places` finds them, `log` reads what each version says, `facts` makes the statements,
`reader` puts them together.
"""

from meshline.ingest.sources.delta.source import Delta

__all__ = ["Delta"]
