"""Values that the models share with modules that load no pydantic."""

DEFAULT_ENVIRONMENT = "default"
"""The name of the only environment of a catalog that names none."""


DEFAULT_MAX_JSON_BYTES = 256 * 1024
"""A parser cannot be interrupted: this much takes it 15 ms and 10 MB at the worst."""
MAX_MAX_JSON_BYTES = 1024 * 1024
