"""Data contracts. `source` finds the dialect of a file, `odcs` and `datacontract_spec` read it by `fields`, `servers` names the datasets,
`facts` makes the facts.
"""
