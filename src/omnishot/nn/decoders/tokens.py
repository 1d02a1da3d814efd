"""Token numbers that mean the same in every vocabulary."""

PAD, BOS, EOS, UNKNOWN = SPECIAL = range(4)
