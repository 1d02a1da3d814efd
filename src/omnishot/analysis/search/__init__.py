"""Rows found by another of their inputs."""
