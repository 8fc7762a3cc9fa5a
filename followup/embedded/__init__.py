"""The embedded default: the whole service on one machine with one command, reaching nobody.

`supervisor` starts Valkey, web, worker and beat and ends them; it imports no application code, to stay small.
`serve` is the web process: it brings the database up, seeds it and answers. `seed` makes the clinic.
"""
