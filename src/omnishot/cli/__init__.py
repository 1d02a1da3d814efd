"""The command line: one file a subcommand, no logic of its own.

Each of these modules has `add(commands)`, which adds its parser and gives it a default `func`: a function of the
parsed arguments that does the work and returns the exit code (None: 0). What needs torch is imported inside that
function, so that help and usage errors are quick.
"""
