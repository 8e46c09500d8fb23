"""Files of SQL: `reader` reads them, `facts` makes the statements; what SQL means is in `meshline.sql`."""

from meshline.ingest.sources.sql.source import Sql

__all__ = ["Sql"]
