"""The world `ward`."""
