"""Explanation of predictions: contributions of the inputs, similar rows, changes by adaptation."""
