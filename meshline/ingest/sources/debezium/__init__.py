"""Debezium connectors. `parse` parses the configs, `filters` selects tables and columns with `java_regex`, `names` names tables and
topics, `facts` builds the facts.
"""
