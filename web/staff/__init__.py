"""Pages for staff of a clinic."""
