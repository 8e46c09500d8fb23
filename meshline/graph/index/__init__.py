"""The lineage index: the visible graph in arrays, and the traversals over it."""
