"""Reads the projects of a running engine."""
