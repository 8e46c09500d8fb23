"""The questions, one per file: plain functions on the index, and on the store where facts are shown, that return frozen values."""
