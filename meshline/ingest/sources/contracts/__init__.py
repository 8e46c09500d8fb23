"""Data contracts. `source` has the keys and detects the dialect of a file, `odcs` and `datacontract_spec` parse it with `field_reader`,
`servers` locates the datasets, `facts` builds the facts.
"""
