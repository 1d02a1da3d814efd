"""Token numbers that have the same meaning in every vocabulary."""

PAD, BOS, EOS, UNKNOWN = SPECIAL = range(4)
