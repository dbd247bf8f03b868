"""Probe of PostgreSQL: a login and queries of its state."""
