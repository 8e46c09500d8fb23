"""Databases: readers turn what a system lists into a `DatabaseCatalog`, from which `facts` builds entries for all systems alike."""
