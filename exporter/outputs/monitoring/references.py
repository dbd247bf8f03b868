"""Inputs of the daemon's probes other than the catalog: secrets, variables, keys and certificates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.base import Model
from exporter.catalog.keys.probes.http import HttpProbe
from exporter.catalog.keys.probes.tls import Tls
from exporter.catalog.keys.probes.websocket import WebSocketProbe
from exporter.catalog.values.references import NamedSecret, TextTemplate, parse_template
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Needs:
    """The secrets, variables and files that probes need, each once and sorted; paths are as in the catalog."""

    secrets: tuple[str, ...]
    variables: tuple[str, ...]
    files: tuple[str, ...]


def probe_needs(catalog: Catalog) -> Needs:
    """Return the needs of all probes of the catalog."""
    parts: set[NamedSecret | EnvironmentReference | FileReference] = set()
    files: set[str] = set()
    for value in _asked(catalog):
        for found in _within(value):
            if isinstance(found, Tls):
                files.update(path for path in (found.ca, found.certificate, found.key) if path)
            else:
                parts.update(part for part in found.parts if not isinstance(part, str))
    return Needs(
        tuple(sorted(part.name for part in parts if isinstance(part, NamedSecret))),
        tuple(sorted(part.name for part in parts if isinstance(part, EnvironmentReference))),
        tuple(sorted(files | {part.path for part in parts if isinstance(part, FileReference)})),
    )


def _asked(catalog: Catalog) -> Iterator[object]:
    """Yield the values that the daemon's probes use; not those that the services' containers get."""
    for service in catalog.services.values():
        yield service.health
        yield service.probes
    for store in catalog.stores.values():
        yield store.probes
        yield store.password
        yield store.tls


def _within(value: object) -> Iterator[TextTemplate | Tls]:
    if isinstance(value, TextTemplate):
        yield value
    elif isinstance(value, Model):
        if isinstance(value, Tls):
            yield value
        if isinstance(value, HttpProbe | WebSocketProbe):
            yield parse_template(value.url or value.path)
        for key in type(value).model_fields:
            yield from _within(getattr(value, key))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _within(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _within(item)
