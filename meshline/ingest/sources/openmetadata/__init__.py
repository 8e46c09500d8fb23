"""OpenMetadata. `catalog_reader` reads `entities`, `service_names` gives datasets the names of OpenLineage, `facts` builds entries."""
