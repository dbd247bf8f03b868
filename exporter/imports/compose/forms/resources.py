"""Top-level `volumes`, `networks`, `secrets` and `configs`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import FormError, flag, mapping_of, optional
from exporter.imports.compose.forms.pairs import Pair, pairs

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Resource:
    """A volume or network. `key` is its name in the file."""

    key: str
    name: str | None
    """Its real name, where it is written: otherwise Compose puts the project before the key."""
    external: bool | str
    driver: str | None
    options: tuple[Pair, ...]
    """`driver_opts`"""
    labels: tuple[Pair, ...]
    rest: dict[str, Any] = field(default_factory=dict)
    """Other keys: internal, attachable, ipam, enable_ipv6, …"""


@dataclass(frozen=True, slots=True)
class FileResource:
    """A secret or config. A value in the file itself is never kept."""

    key: str
    name: str | None
    external: bool | str
    file: str | None
    environment: str | None
    """The name of a variable that holds it."""
    has_content: bool
    """True if the Compose file holds the value: `content`."""
    rest: dict[str, Any] = field(default_factory=dict)
    """Other keys: driver, labels, template_driver, …"""


def resource(key: str, value: Any) -> Resource:
    """Return a volume or network.

    Raises:
        FormError: it is not a mapping, or its names contradict each other.
    """
    mapping = mapping_of(value)
    name, external = _external(mapping)
    return Resource(
        key,
        name,
        external,
        optional(mapping, "driver"),
        _at("driver_opts", pairs, mapping),
        _at("labels", pairs, mapping),
        {inner: kept for inner, kept in mapping.items() if inner not in _RESOURCE_KEYS},
    )


def file_resource(key: str, value: Any) -> FileResource:
    """Return a secret or config.

    Raises:
        FormError: it is not a mapping, or its names contradict each other.
    """
    mapping = mapping_of(value)
    name, external = _external(mapping)
    return FileResource(
        key,
        name,
        external,
        optional(mapping, "file"),
        optional(mapping, "environment"),
        mapping.get("content") is not None,
        {inner: kept for inner, kept in mapping.items() if inner not in _FILE_KEYS},
    )


def _external(mapping: dict[str, Any]) -> tuple[str | None, bool | str]:
    """Return name and `external`, also of the old form `external: {name: …}`."""
    name, external = optional(mapping, "name"), mapping.get("external")
    if not isinstance(external, dict):
        return name, flag(mapping, "external", False) or False
    old = optional(external, "name", ("external",))
    if name and old and name != old:
        raise FormError("name and external.name differ; remove external.name", ("external", "name"))
    return name or old, True


def _at(key: str, form: Callable[[Any], tuple[Pair, ...]], mapping: dict[str, Any]) -> tuple[Pair, ...]:
    try:
        return form(mapping.get(key))
    except FormError as error:
        raise FormError(error.sentence, (key, *error.path)) from None


_RESOURCE_KEYS = frozenset({"name", "external", "driver", "driver_opts", "labels"})
_FILE_KEYS = frozenset({"name", "external", "file", "environment", "content"})
