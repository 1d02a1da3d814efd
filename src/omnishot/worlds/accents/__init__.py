"""The world `accents`."""
