"""dbt projects. `parse` reads the files of the target folder as `artifacts`, `names` finds their namespace; `facts`, `flows` and `checks`
are what follows for each node, in the order that `project` gives them.
"""
