"""Configuration files of Prometheus and blackbox_exporter as values with places, and what their scalars mean there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.yaml_scalars import YamlError, scalar_value
from exporter.catalog.reading.yaml_tree import Dialect
from exporter.catalog.values.scalars import duration_text, parse_duration
from exporter.catalog.values.words import shown
from exporter.imports.compose.tree import read_documents
from exporter.imports.project import Source, Value, mistake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BINARY = "tag:yaml.org,2002:binary"
_TRUE = frozenset({"true", "yes", "on", "y"})


class Binary(str):
    """Bytes in base64. No text of a catalog can hold them."""

    __slots__ = ()


def _scalar(event: Any) -> Any:
    return Binary(event.value) if event.tag == _BINARY else scalar_value(event)


_DIALECT = Dialect(
    _scalar,
    empty="is empty; expected the configuration of Prometheus or blackbox_exporter",
    second_document="a second document begins here; Prometheus and blackbox_exporter read only one",
)
_LIST = "targets"
"""Key under which the list of a file of targets is read: the reader takes mappings only."""


def read_config(path: Path, role: str = "main") -> Value:
    """Return the content of a configuration file.

    Raises:
        SourceError: it cannot be read, or is no mapping in YAML.
    """
    [document], _ = read_documents(Source(str(path), role, path, path.parent), _DIALECT)
    return document


def read_target_groups(path: Path) -> list[Value]:
    """Return the groups of a file of targets, in YAML or JSON.

    Raises:
        SourceError: it cannot be read, or is no list.
    """
    source = Source(str(path), "targets", path, path.parent)
    [document], _ = read_documents(source, _DIALECT, _under_key)
    return [_moved(group) for group in items(document.child(_LIST))]


def _under_key(text: str) -> str:
    """Put the list under a key, one line further down."""
    lines = text.split("\n")
    begun = next(
        (index for index, line in enumerate(lines) if line.strip() and not line.startswith(("#", "---"))), 0
    )
    first = lines[begun].lstrip()
    if not first.startswith(("-", "[")):
        raise YamlError("is not a list of groups of targets", begun + 1, 1)
    lines[:begun] = [""] * begun
    if first.startswith("["):
        lines[begun] = f" {lines[begun]}"
    return "\n".join((f"{_LIST}:", *lines))


def _moved(value: Value) -> Value:
    """Return the value with the lines of its file."""
    content = value.content
    if isinstance(content, dict):
        content = {key: _moved(inner) for key, inner in content.items()}
    elif isinstance(content, list):
        content = [_moved(inner) for inner in content]
    return Value(content, replace(value.place, line=value.place.line - 1), value.tag)


def members(value: Value | None) -> dict[str, Value]:
    """Return the keys of a mapping; empty if it is none."""
    return value.content if value is not None and isinstance(value.content, dict) else {}


def items(value: Value | None) -> list[Value]:
    """Return the items of a list; empty if it is none."""
    return value.content if value is not None and isinstance(value.content, list) else []


def text(value: Value | None, default: str = "") -> str:
    """Return a scalar as Go's YAML reader gives it to a text."""
    if value is None or value.content is None or isinstance(value.content, dict | list):
        return default
    if isinstance(value.content, bool):
        return "true" if value.content else "false"
    return value.content if isinstance(value.content, str) else str(value.content)


def texts(value: Value | None) -> list[str]:
    """Return the scalars of a list as text."""
    return [text(item) for item in items(value) if not isinstance(item.content, dict | list)]


def flag(value: Value | None, *, default: bool = False) -> bool:
    """Return a boolean; Go's YAML reader takes `yes` and `on` too."""
    return default if value is None or value.content is None else text(value).lower() in _TRUE


def seconds(value: Value | None, default: float) -> float:
    """Return a duration of Go or Prometheus.

    Raises:
        SourceError: it is none.
    """
    if value is None or value.content is None:
        return default
    written = text(value)
    if written in ("0", "0s"):
        return default
    try:
        # A year is 365 days there, and no unit of the catalog.
        return sum(map(parse_duration, _parts(written)))
    except ValueError:
        raise mistake(f"{shown(written)} is not a duration", value.place) from None


def _parts(written: str) -> Iterator[str]:
    years, separator, rest = written.partition("y")
    if separator:
        yield f"{int(years) * 365}d"
        written = rest
    if written:
        yield written


def duration(value: float) -> str:
    """Return seconds as the catalog writes them."""
    return duration_text(value) if value == int(value) else f"{value * 1000:.0f}ms"


def catalog_text(literal: str) -> str:
    """Return text as the catalog writes it, where `${` begins a reference."""
    return literal.replace("${", "$${")
