"""Base of every model: input is checked strictly, and unknown keys are errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class AbsenceError(ValueError):
    """Something required is missing. If a mistake was removed there, this error only follows from that."""


class Model(BaseModel):
    """One mapping of the catalog.

    Strict, because YAML has its own types: `port: "8000"` is a mistake to report, not to guess around. Pydantic's
    errors hide the input, because it can be a secret in the wrong place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _as_tuple(value: object) -> object:
    return value if isinstance(value, tuple) or value is None else (value,)


def _as_mapping(value: object) -> object:
    return {} if value is None else value


def one_or_many(item: Any) -> BeforeValidator:
    """Accept one value in place of a list of one."""
    return BeforeValidator(_as_tuple, json_schema_input_type=item | tuple[item, ...])


def empty_allowed(model: Any) -> BeforeValidator:
    """Accept a name with nothing after it, which YAML reads as null, as an empty mapping."""
    return BeforeValidator(_as_mapping, json_schema_input_type=model | None)
