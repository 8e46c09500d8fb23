"""Sources in, statements out. Imports `graph`, never the other way round."""
