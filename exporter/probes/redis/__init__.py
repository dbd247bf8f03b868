"""Probe of Redis: a login and queries of its state."""
