"""Durable keeping of statements. `base` is the protocol; each other file is one store."""
