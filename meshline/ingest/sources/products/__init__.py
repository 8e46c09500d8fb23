"""Data product specifications. `formats` reads both dialects, `facts` binds the ports to datasets and makes the facts."""
