"""Figures under noise, failures and attacks."""
