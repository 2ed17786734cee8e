"""Copies of what the database has, for what is asked again and again."""
