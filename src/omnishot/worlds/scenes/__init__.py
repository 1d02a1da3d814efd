"""The world `scenes`."""
