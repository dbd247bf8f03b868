"""Shared by all forms: the error, and texts of scalars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import kind
from exporter.imports.compose.expressions import by_default, has_variable
from exporter.imports.compose.scalars import container_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.imports.project import ModelPath


class FormError(ValueError):
    """A value that Compose rejects. `path` leads from the key's value to the part that is wrong."""

    def __init__(self, sentence: str, path: ModelPath = ()) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.path = path


def text_of(value: Any, path: ModelPath = ()) -> str:
    """Return the text of a scalar; empty for null.

    Raises:
        FormError: it is a list or a mapping.
    """
    if isinstance(value, dict | list | tuple):
        raise FormError(f"must be one value, not {_kind(value)}", path)
    return container_text(value) or ""


def optional(mapping: dict[str, Any], key: str, path: ModelPath = ()) -> str | None:
    """Return the text of a key; None if it is not there."""
    return None if mapping.get(key) is None else text_of(mapping[key], (*path, key))


def flag(mapping: dict[str, Any], key: str, default: bool | None = None) -> bool | str | None:
    """Return a boolean, or the text of a variable that holds one."""
    value = mapping.get(key)
    if value is None or isinstance(value, bool):
        return default if value is None else value
    text = text_of(value, (key,))
    if has_variable(text):
        return text
    known = _BOOLEANS.get(text.lower())
    if known is None:
        raise FormError("must be true or false", (key,))
    return known


def mapping_of(value: Any, path: ModelPath = ()) -> dict[str, Any]:
    """Return a mapping; an empty one for null.

    Raises:
        FormError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FormError(f"must be a mapping, not {_kind(value)}", path)
    return value


def items_of(value: Any) -> Iterator[tuple[ModelPath, Any]]:
    """Yield the items of a list with their paths; none for null.

    Raises:
        FormError: it is something else.
    """
    if value is None:
        return
    if not isinstance(value, list | tuple):
        raise FormError(f"must be a list, not {_kind(value)}")
    for index, item in enumerate(value):
        yield (index,), item


def texts_of(value: Any) -> tuple[str, ...]:
    """Return a list of texts; one text is a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(text_of(item, path) for path, item in items_of(value))


def number_of(text: str) -> int | None:
    """Return a whole number, or that which a variable has by default; None if it is not known."""
    literal = by_default(text)
    return (
        int(literal)
        if literal is not None and literal.isascii() and literal.isdigit() and len(literal) < _LONG
        else None
    )


_LONG = 19
_BOOLEANS = {
    **dict.fromkeys(("true", "y", "yes", "on"), True),
    **dict.fromkeys(("false", "n", "no", "off"), False),
}


def _kind(value: Any) -> str:
    return kind(tuple(value) if isinstance(value, list) else value)
