"""Files of SQL. `facts` reads them and makes the facts; what SQL means is in `meshline.sql`."""
