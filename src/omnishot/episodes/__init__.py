"""Episodes: rows in memory, where tasks come from, and the loader that feeds the network."""
