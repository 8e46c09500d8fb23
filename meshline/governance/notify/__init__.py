"""Who is told of what landed in the graph: what is owed is kept in the store's journal, and sent from there."""
