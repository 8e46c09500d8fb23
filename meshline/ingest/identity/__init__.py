"""Which names mean one dataset by rule: `catalogs:` of the mesh file."""
