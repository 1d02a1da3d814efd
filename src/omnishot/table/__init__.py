"""Tables: reading them, what each column is, checking, splits, and the cache of decoded cells."""
