"""Third floor, memory: models, sessions and named queries. Rows know no rules and no wires."""
