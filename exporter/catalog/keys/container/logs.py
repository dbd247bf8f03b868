"""The key `logs`: patterns to count in a container's log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model
from exporter.catalog.values.names import SecretName
from exporter.catalog.values.scalars import Regex, Size


class Logs(Model):
    """Patterns to count in the container's log. The text itself is never exported."""

    patterns: dict[SecretName, Regex] = Field(
        default={}, description="Names, and the regular expressions of the lines to count."
    )
    levels: bool = Field(default=True, description="Also count lines of the usual error levels.")
    max_line: Size = Field(default=16 * 1024, description="Longer lines are cut.")


def _logs_shorthand(value: object) -> object:
    if value is True or value == "on":
        return {}
    return None if value is False or value == "off" else value


LogsOrShort = Annotated[
    Logs | None,
    BeforeValidator(_logs_shorthand, json_schema_input_type=Logs | bool | Literal["on", "off"] | None),
]
