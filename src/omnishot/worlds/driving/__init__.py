"""The world `driving`."""
