"""Conditions on an HTTP response: its body, JSON and headers."""

from __future__ import annotations

import json
from math import isfinite
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from exporter.catalog.base import AbsenceError, Model, one_or_many
from exporter.catalog.values.scalars import JsonPath, Regex, Text, unescaped


class BodyConditions(Model):
    """Conditions on the response body. All must hold; each takes one text or a list."""

    contains: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Literal text that must be present."
    )
    absent: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Literal text that must be absent."
    )
    matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field(
        default=(), description="Regular expressions that must match."
    )
    not_matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field(
        default=(), description="Regular expressions that must not match."
    )


def body_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"contains": value}


def _plain_json(value: object) -> object:
    """Return a JSON value with `${` in place of each `$${`."""
    if isinstance(value, str):
        return unescaped(value)
    if isinstance(value, dict):
        return {unescaped(key): _plain_json(inner) for key, inner in value.items()}
    return tuple(_plain_json(inner) for inner in value) if isinstance(value, tuple) else value


class JsonCondition(Model):
    """A JSON path (RFC 9535) and a condition. Without equals or matches, the path must select something."""

    path: JsonPath = Field(description="The path, such as $.status.")
    equals: Annotated[Any, BeforeValidator(_plain_json), WithJsonSchema({"title": "JSON value"})] = Field(
        default=None, description="One value must equal this: text, number, boolean, list or mapping."
    )
    matches: Regex | None = Field(default=None, description="The text of one value must match.")
    absent: bool = Field(default=False, description="Negates the condition: no value may match.")

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if "equals" in self.model_fields_set and self.matches is not None:
            raise ValueError("equals and matches cannot be combined; write two conditions")
        if isinstance(self.equals, float) and not isfinite(self.equals):
            raise ValueError("equals is a number that JSON cannot hold")
        return self

    @property
    def equals_json(self) -> str | None:
        """Return `equals` as JSON text; None if it was not written (`equals: null` counts as written)."""
        if "equals" not in self.model_fields_set:
            return None
        return json.dumps(self.equals, ensure_ascii=False, sort_keys=True)


def json_shorthand(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class HeaderCondition(Model):
    """Conditions on one response header."""

    matches: Regex | None = Field(default=None, description="The value must match.")
    not_matches: Regex | None = Field(
        default=None, description="The value must not match; a missing header passes."
    )
    absent: bool = Field(default=False, description="The header must be absent.")

    @model_validator(mode="after")
    def _some_condition(self) -> Self:
        if self.absent and (self.matches is not None or self.not_matches is not None):
            raise ValueError("a header that must be absent has nothing to match")
        if not self.absent and self.matches is None and self.not_matches is None:
            raise AbsenceError("needs matches, not_matches or absent")
        return self


def header_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"matches": value}
