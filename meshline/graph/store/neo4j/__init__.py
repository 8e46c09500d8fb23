"""The shared store: Neo4j 5, whose graph a person can browse without knowing this code (docs/neo4j.md)."""

from meshline.graph.store.neo4j.store import Neo4jStore

__all__ = ["Neo4jStore"]
