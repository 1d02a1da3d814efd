"""Comparison, robustness, search and explanation, each with what it measures and its page."""
