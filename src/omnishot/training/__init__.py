"""Training: options and data are prepared (`train`), the loop (`trainer`), selection, logging, budgets of time."""
