"""The questions, one per file: plain functions on the index (and the store, where facts are shown) that return frozen values."""
