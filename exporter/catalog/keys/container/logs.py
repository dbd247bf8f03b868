"""The key `logs`: what is counted in a container's log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import (
    Regex,
    SecretName,
    Size,
)


class Logs(Model):
    """What is counted in the container's log. Nothing of the text itself is exported."""

    patterns: dict[SecretName, Regex] = Field(
        default={}, description="Names and the regular expressions of lines to count."
    )
    levels: bool = Field(default=True, description="Whether lines of the usual error levels are counted too.")
    max_line: Size = Field(
        default=16 * 1024, description="Longer lines are cut.", json_schema_extra={"default": "16Ki"}
    )


def _logs_shorthand(value: object) -> object:
    if value is True or value == "on":
        return {}
    return None if value is False or value == "off" else value


LogsOrShort = Annotated[
    Logs | None,
    BeforeValidator(_logs_shorthand, json_schema_input_type=Logs | bool | Literal["on", "off"] | None),
]
