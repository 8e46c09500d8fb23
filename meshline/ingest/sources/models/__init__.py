"""Sources of models and features: what trains on the columns of a mesh, and what is predicted from them."""
