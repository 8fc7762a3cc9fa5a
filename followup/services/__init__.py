"""Fourth floor: what we do. One verb family a file; the first argument says who owns the transaction.

`session`: joins the caller's and never commits. `sessions`: opens and closes its own, because it calls the
world. Services return small frozen results, raise `core.errors`, and never enqueue: adapters ring the bell.
"""
