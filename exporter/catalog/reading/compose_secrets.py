"""Secrets that are written out below `compose:`, which nothing else reads: they would be in the generated file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.networks import Network
from exporter.catalog.keys.services import Service
from exporter.catalog.keys.stores import Store
from exporter.catalog.keys.volumes import Volume
from exporter.catalog.reading.warnings import HOW, is_secret
from exporter.catalog.values.references import has_password
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.base import Model
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import CatalogPath, Finding

_VARIABLE = re.compile(r"\$\$|\$\{[A-Za-z_]\w*(?::?-(?P<default>[^}]*)|[^}]*)\}|\$[A-Za-z_]\w*")
_PAIR = re.compile(r"(?<![\w.-])-{0,2}([A-Za-z][\w.-]*)=([^\s,;&\"']+)")
"""A name and its value inside text: an item of a list, an option of a command, an option of a mount."""


PASSED: dict[str, type[Model]] = {
    "services": Service,
    "stores": Store,
    "volumes": Volume,
    "networks": Network,
}
"""Sections of the catalog whose entries have the key `compose`."""


def passed(catalog: Catalog) -> Iterator[tuple[CatalogPath, dict[str, Any]]]:
    """Yield everything that is passed through, with its place."""
    if catalog.compose:
        yield ("compose",), catalog.compose
    for section in PASSED:
        for name, described in getattr(catalog, section).items():
            if described.compose:
                yield (section, name, "compose"), described.compose


def secrets_in_compose(catalog: Catalog) -> Iterator[Finding]:
    """Yield the places of values that are probably secrets. The values are never repeated."""
    known = {name.lower() for name in catalog.not_secret}
    for path, keys in passed(catalog):
        for place, name, value in _texts(keys, path):
            if has_password(value):
                yield place, "a URL cannot hold a password; write ${NAME} in its place"
            for each, text in ((name, value), *_PAIR.findall(value)):
                if each.lower() not in known and is_secret(each, _written_out(text)):
                    yield place, f"{quoted(each)} looks like a secret that is written out; {HOW}"
                    break


def _texts(value: object, path: CatalogPath) -> Iterator[tuple[CatalogPath, str, str]]:
    """Yield place, name and text of each value; an item of a list has no name."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, dict | list):
            yield from _texts(item, (*path, key))
        elif item is not None and not isinstance(item, bool):
            yield (*path, key), key if isinstance(key, str) else "", str(item)


def _written_out(text: str) -> str:
    """Return the text, or if it holds variables, their defaults."""
    found = list(_VARIABLE.finditer(text))
    return "".join(match["default"] or "" for match in found) if found else text
