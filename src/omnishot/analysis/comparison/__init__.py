"""Comparison of learners and fusions under one budget."""
