"""Named questions to the store, one file a door. What the web asks takes the organization right after the session."""
