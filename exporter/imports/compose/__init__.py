"""Compose files, read by Compose's rules and without resolving a variable."""
