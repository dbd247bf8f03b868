"""The key `secrets`: names of secrets and where each comes from."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import Model
from exporter.catalog.values.names import EnvironmentName
from exporter.catalog.values.scalars import Duration, Words


class SecretSource(Model):
    """Source of one secret. Without file, env and generate: the file ./secrets/NAME."""

    description: Words = Field(default="", description="What the secret is for.")
    file: Words | None = Field(default=None, description="The file, relative to the catalog.")
    env: EnvironmentName | None = Field(default=None, description="The environment variable.")
    generate: Annotated[int, Field(ge=16, le=4096)] | None = Field(
        default=None, description="Number of random characters to generate, written to ./secrets/NAME once."
    )
    rotate: Duration | None = Field(default=None, description="Age at which the value is due for rotation.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.env and (self.file or self.generate):
            raise ValueError("a secret comes from one place; env cannot be combined with file or generate")
        return self


def _secret_shorthand(value: object) -> object:
    """Return the long form. A literal here may be the secret itself, so it is refused and never repeated."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic collects ValueErrors
            "a secret cannot be written in the catalog; "
            "write where it comes from: {file: PATH}, {env: NAME} or {generate: 32}"
        )
    return value


SecretSourceOrEmpty = Annotated[
    SecretSource, BeforeValidator(_secret_shorthand, json_schema_input_type=SecretSource | None)
]
