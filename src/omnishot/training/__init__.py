"""The one training loop, model selection, logging."""
