"""Files of SQL. `facts` reads the files and builds the facts; `meshline.sql` analyses the statements."""
