"""dbt projects, from the artifacts of their target folder: `artifacts` reads them, `project` orders them, `facts`, `flows`,
`checks` and `consumers` say what becomes of them.
"""

from meshline.ingest.sources.dbt.source import Dbt

__all__ = ["Dbt"]
