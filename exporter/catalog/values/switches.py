"""Switches: on and off, which YAML also calls true and false."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

_WORDS = {"on": True, "off": False}


def _from_words(value: object) -> object:
    return _WORDS.get(value, value) if isinstance(value, str) else value


OnOff = Annotated[bool, BeforeValidator(_from_words, json_schema_input_type=bool | Literal["on", "off"])]
