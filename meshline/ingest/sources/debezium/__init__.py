"""Debezium connectors. `parse` reads the configs, `filters` selects tables and columns with `java_regex`, `names` names tables and topics,
`facts` makes the facts.
"""
