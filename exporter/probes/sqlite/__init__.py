"""Probe of the file of a SQLite database."""
