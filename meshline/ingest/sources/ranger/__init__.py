"""Apache Ranger. `parse` reads exported policies, `facts` evaluates them for the datasets that the graph knows."""
