"""Values that the models share with modules that do not load pydantic."""

DEFAULT_ENVIRONMENT = "default"
"""Name of the only environment of a catalog without environments."""


DEFAULT_MAX_JSON_BYTES = 256 * 1024
"""A parser cannot be interrupted: this much takes 15 ms and 10 MB at worst."""
MAX_MAX_JSON_BYTES = 1024 * 1024
