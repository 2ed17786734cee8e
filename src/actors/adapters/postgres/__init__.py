"""The storage ports on PostgreSQL 15 and later."""
