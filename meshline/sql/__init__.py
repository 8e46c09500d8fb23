"""Lineage of SQL texts, column by column: `script.read_lineage` for one text, a `script.ScriptReader` for several."""
