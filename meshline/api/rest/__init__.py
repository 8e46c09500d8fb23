"""REST: one module for each address below `/api/v1`."""
