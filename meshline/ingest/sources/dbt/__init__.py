"""dbt projects. `source` has the keys and finds the namespace; `parse` reads the files of the target folder as `artifacts`;
`facts`, `flows` and `checks` build what is ingested of each node, in the order that `project` gives them.
"""
