"""Limits that the catalog's models and the daemon share; free of pydantic."""

DEFAULT_MAX_JSON_BYTES = 256 * 1024
"""A parser cannot be interrupted: this much takes it 15 ms and 10 MB at the worst."""
MAX_MAX_JSON_BYTES = 1024 * 1024
