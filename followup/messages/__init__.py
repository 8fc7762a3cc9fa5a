"""Second floor, words: every text a person reads, as data, with a small reader, renderer and checker."""
