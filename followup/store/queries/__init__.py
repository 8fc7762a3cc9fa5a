"""Named questions to the store, one file a door; what the web asks takes the clinic after the session."""
