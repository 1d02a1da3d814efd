"""Learners and fusions side by side under one budget."""
