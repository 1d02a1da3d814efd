"""Figures of generated texts, answers, pairs, retrieval and tags, one concept a file: Python strings and arrays in."""
