"""The world `glyphs`."""
