"""DataHub. `parse` reads exported metadata, `urns` gives datasets the names of OpenLineage, `facts` and `report_uses` build entries."""
