"""Seeing the mapping: what moved a prediction, what adapting changed, which inputs say the same."""
