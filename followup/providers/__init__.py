"""Third floor, voice: thin adapters to carriers and mail servers. Wires know no rules and no rows."""
