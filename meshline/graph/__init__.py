"""The model, the stores, the lineage index and the questions. Imports nothing else of ours."""
