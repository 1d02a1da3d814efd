"""Episodes to figures: protocol, corruption, open set, retrieval."""
