"""Marquez's REST API, for its web page and its clients: addresses, shapes and errors are Marquez's, and the answers are ours."""
