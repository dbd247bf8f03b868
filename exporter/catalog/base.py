"""The base of every model: what a person writes is checked strictly, and unknown keys are errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class AbsenceError(ValueError):
    """Something that should be there is missing. Where a mistake was taken out, this only follows from it."""


class Model(BaseModel):
    """One mapping of the catalog.

    Strict, because YAML has types of its own: `port: "8000"` is a mistake to show, not to guess around. Inputs
    are hidden in pydantic's errors, because an input can be a secret that stands in the wrong place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _as_tuple(value: object) -> object:
    return value if isinstance(value, tuple) or value is None else (value,)


def _as_mapping(value: object) -> object:
    return {} if value is None else value


def one_or_many(item: Any) -> BeforeValidator:
    """One value in place of a list of one."""
    return BeforeValidator(_as_tuple, json_schema_input_type=item | tuple[item, ...])


def empty_allowed(model: Any) -> BeforeValidator:
    """A name with nothing after it, which YAML reads as null, is an empty mapping."""
    return BeforeValidator(_as_mapping, json_schema_input_type=model | None)
