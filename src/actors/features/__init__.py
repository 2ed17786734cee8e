"""Feature flags, held in memory on every node."""
