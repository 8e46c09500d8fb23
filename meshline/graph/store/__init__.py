"""Durable storage of statements. `base` is the protocol; `sqlite` and `neo4j` implement it."""
