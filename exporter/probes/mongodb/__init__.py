"""Probe of MongoDB: a login and queries of its state."""
