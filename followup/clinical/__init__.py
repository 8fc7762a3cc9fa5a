"""Hold the pure clinical rules: values in, values out, no clock, no files, no network.

Every table of `data/` is read elsewhere and handed in as a plain mapping; see `rulebook.Rulebook`.
"""
