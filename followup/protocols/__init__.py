"""Second floor, plans: what is sent when, and who is told, as data, with a small reader and checker."""
