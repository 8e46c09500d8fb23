"""A running Marquez, read by its REST API."""
