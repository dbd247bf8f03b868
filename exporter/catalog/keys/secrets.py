"""The key `secrets`: names of secrets and where each comes from."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Duration, EnvironmentName, Words


class SecretSource(Model):
    """Where one secret comes from. With none of file, env and generate: the file ./secrets/NAME."""

    description: Words = Field(default="", description="What it opens.")
    file: Words | None = Field(default=None, description="The file, relative to the catalog.")
    env: EnvironmentName | None = Field(default=None, description="The environment variable.")
    generate: Annotated[int, Field(ge=16, le=4096)] | None = Field(
        default=None, description="So many random characters, written to ./secrets/NAME once."
    )
    rotate: Duration | None = Field(default=None, description="An older value is due for a new one.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.env and (self.file or self.generate):
            raise ValueError("a secret comes from one place; env excludes file and generate")
        return self


def _secret_shorthand(value: object) -> object:
    """A literal in the place of a source is a secret in the wrong place: it is never repeated."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic collects ValueErrors
            "a secret cannot stand in the catalog; "
            "write where it comes from: {file: PATH}, {env: NAME} or {generate: 32}"
        )
    return value


SecretSourceOrEmpty = Annotated[
    SecretSource, BeforeValidator(_secret_shorthand, json_schema_input_type=SecretSource | None)
]
