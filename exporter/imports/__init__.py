"""Imports of existing applications, from Compose files or a running engine, as one `Project`."""
