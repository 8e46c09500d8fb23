"""The mesh in the formats of other programs: OpenLineage events of its current state, and metadata of DataHub."""
