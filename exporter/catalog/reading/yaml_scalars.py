"""Scalars of YAML 1.2's core schema: only `true` and `false` are booleans, dates and `5432:5432` stay text."""

from __future__ import annotations

import re
from typing import Any

from exporter.catalog.values.words import quoted

Scalar = str | int | float | bool | None


class YamlError(Exception):
    """Text that is not one YAML mapping. `line` and `column` count from 1; 0 if there is no place."""

    def __init__(self, sentence: str, line: int = 0, column: int = 0, path: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.line = line
        self.column = column
        self.path = path


class WrittenInt(int):
    """A whole number whose text is not its shortest form (`0o17`, `007`), which `str` gives back as written."""

    written: str

    def __str__(self) -> str:
        return self.written


class WrittenFloat(float):
    """A number that `str` gives back as written: version 7.10 is not version 7.1."""

    written: str

    def __str__(self) -> str:
        return self.written


_STR_TAG = "tag:yaml.org,2002:str"

_SCALAR_TAGS = frozenset(
    {None, "!"} | {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")}
)

_CONSTANTS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

_INT = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
"""Python refuses to print much longer numbers, and takes quadratic time. No catalog needs them."""

_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)

_NUMBER_START = frozenset("0123456789.+-")

_BASES = {"0o": 8, "0x": 16}


def scalar_value(event: Any) -> Scalar:
    text: str = event.value
    if event.tag == _STR_TAG or (not event.implicit[0] and event.tag in (None, "!")):
        return text
    if event.tag not in _SCALAR_TAGS:
        raise unknown_tag(event)
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def _integer(text: str) -> int:
    number = int(text[2:], _BASES[text[:2]]) if text[:2] in _BASES else int(text)
    if str(number) == text:
        return number
    written = WrittenInt(number)
    written.written = text
    return written


def _float(text: str) -> float:
    written = WrittenFloat(
        text.replace(".inf", "inf")
        .replace(".Inf", "inf")
        .replace(".INF", "inf")
        .replace(".nan", "nan")
        .replace(".NaN", "nan")
        .replace(".NAN", "nan")
    )
    written.written = text
    return written


def place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def unknown_tag(event: Any) -> YamlError:
    return YamlError(f"unknown tag {quoted(event.tag)}; catalogs hold plain values", *place(event))
