"""Delta Lake tables. `log` reads the versions, `parse` their schemas, `facts` makes the facts of all tables."""
