"""The key `healthcheck`: how the engine checks the container's health, and how often."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import AbsenceError, Model
from exporter.catalog.values.scalars import Duration, Wait
from exporter.catalog.values.texts import Interpolated

_SHELL, _PLAIN, _NONE = "CMD-SHELL", "CMD", "NONE"


class CheckTimes(Model):
    """Times of a container's health check."""

    interval: Duration = Field(default=30.0, description="Time between two checks.")
    timeout: Duration = Field(default=10.0, description="Time limit of one check.")
    retries: Annotated[int, Field(ge=1)] = Field(
        default=3, description="Consecutive failures until the container is unhealthy."
    )
    start_period: Wait = Field(
        default=30.0,
        description="Time to start, during which failures do not count.",
    )
    start_interval: Duration | None = Field(
        default=None, description="Time between two checks during start_period; needs Compose 2."
    )


def _test(value: object) -> object:
    """Return a command in text as CMD-SHELL."""
    if value in (_NONE, (_NONE,)):
        return (_NONE,)
    if isinstance(value, str):
        return (_SHELL, value)
    if isinstance(value, tuple) and (not value or value[0] not in (_SHELL, _PLAIN)):
        raise ValueError(
            'test is text for a shell, or a list that begins with CMD or CMD-SHELL, such as ["CMD", "pg_isready"]'
        )
    if isinstance(value, tuple) and len(value) == 1:
        raise AbsenceError(f"needs a command after {value[0]}")
    return value


class HealthCheck(CheckTimes):
    """Health check that the container engine runs."""

    test: Annotated[
        tuple[Interpolated, ...],
        BeforeValidator(_test, json_schema_input_type=tuple[Interpolated, ...] | str),
    ] = Field(
        default=(),
        description="The command: text for a shell, or a list that begins with CMD or CMD-SHELL; "
        "default: the check of a generated image or of a store, or else the image's.",
    )
    disable: bool = Field(default=False, description="Run no check, not even the image's.")

    @property
    def disabled(self) -> bool:
        """True if there is no check."""
        return self.disable or self.test == (_NONE,)

    @model_validator(mode="after")
    def _test_or_none(self) -> Self:
        if self.disable and self.test not in ((), (_NONE,)):
            raise ValueError("disable and test cannot be combined; remove one of them")
        return self
