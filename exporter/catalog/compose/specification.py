"""The JSON Schema of the Compose specification, as vendored: its sections and the keys of each."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "2.16.2"
"""Version of compose-go, the library that Compose itself uses, from which `compose-spec.json` is copied."""
SHA256 = "f266dcbb043229405d7cedd5aec918f9102c2b3d5e3850808fdd8edd564a43ff"
FILE = Path(__file__).with_name("compose-spec.json")

TOP = "top level"
SECTIONS: dict[str, tuple[str, ...]] = {
    TOP: (),
    "service": ("$defs", "service"),
    "build": ("$defs", "workload_spec", "properties", "build"),
    "deploy": ("$defs", "deployment"),
    "healthcheck": ("$defs", "healthcheck"),
    "network": ("$defs", "network"),
    "volume": ("$defs", "volume"),
    "secret": ("$defs", "secret"),
    "config": ("$defs", "config"),
}
"""The path of each section in the schema."""
EXTENSION = "x-"
"""Keys that begin so are for people and tools; Compose ignores them, and so does the catalog."""


@cache
def schema() -> dict[str, Any]:
    """Return the whole schema."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def keys(section: str) -> dict[str, str]:
    """Return the keys of a section with their descriptions, in the schema's order."""
    definition = schema()
    for part in SECTIONS[section]:
        definition = definition[part]
    return dict(_properties(definition))


def keys_of(definition: Any) -> list[str]:
    """Return the keys of a mapping that a part of the schema describes."""
    return [key for key, _ in _properties(definition)]


def _properties(definition: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys of a definition and of its parts: of the other definitions it consists of, and of its forms."""
    for key, value in definition.get("properties", {}).items():
        yield key, value.get("description", "")
    for part in (*definition.get("allOf", ()), *definition.get("oneOf", ())):
        name = part.get("$ref", "").removeprefix("#/$defs/")
        yield from _properties(schema()["$defs"][name] if name else part)
