"""SQL text -> what flows from which column into which. One way in: `lineage.lineage_of`, or a `script.Reader` for several texts."""
