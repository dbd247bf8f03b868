"""Checks the outline of a Compose file: top-level keys, and sections of named mappings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.catalog.values.words import nearest, quoted
from exporter.imports.compose.scalars import container_text
from exporter.imports.compose.tree import RESET
from exporter.imports.project import Note, mistake

if TYPE_CHECKING:
    from exporter.imports.project import Place, Value

SECTIONS = ("services", "volumes", "networks", "secrets", "configs", "models")
"""Top-level keys that map names to resources; all of them may be included."""
KEYS = ("version", "name", "include", *SECTIONS)

_VERSION = re.compile(r"[23](?:\.[0-9]{1,2})?")
_FIRST_FORMAT = frozenset({"image", "build"})


def check_document(document: Value) -> None:
    """Check what merging relies on: sections are mappings of mappings.

    Raises:
        SourceError: they are not, or the file's version is unknown.
    """
    version = document.child("version")
    if version and version.content is not None:
        _check_version(version)
    for section in SECTIONS:
        value = document.child(section)
        if value is None or value.content is None:
            continue
        if not isinstance(value.content, dict):
            raise mistake("must be a mapping of names", value.place, (section,))
        for name, member in value.content.items():
            if member.tag != RESET and not isinstance(member.content, dict | None):
                raise mistake("must be a mapping", member.place, (section, name))


def check_whole(tree: Value, first: Place, notes: list[Note]) -> None:
    """Check the merged model, and note the top-level keys that Compose does not have.

    Raises:
        SourceError: it has no services.
    """
    assert isinstance(tree.content, dict)  # noqa: S101 - `read_documents` returns mappings
    services = tree.child("services")
    if not services or not services.content:
        if any(
            _FIRST_FORMAT & set(value.content)
            for value in tree.content.values()
            if isinstance(value.content, dict)
        ):
            sentence = "is in Compose's first format, which Compose 2 cannot read; put services below the key services"
        else:
            sentence = "has no services; it is not a Compose file, or only part of one"
        raise mistake(sentence, first)
    assert isinstance(services.content, dict)  # noqa: S101 - as `check_document` has seen
    for name, service in services.content.items():
        if service.content is None:
            raise mistake("is empty; set at least image or build", service.place, ("services", name))
    for key, value in tree.content.items():
        if key not in KEYS and not key.startswith("x-"):
            near = nearest(key, KEYS)
            hint = f"; did you mean {quoted(near)}?" if near else ""
            notes.append(Note(f"Compose has no such key{hint}", (key,), value.place))


def _check_version(version: Value) -> None:
    text = "a list" if isinstance(version.content, dict | list) else container_text(version.content) or ""
    if not _VERSION.fullmatch(text):
        sentence = f"{quoted(text)} is not a version of the Compose file format; remove this key, Compose 2 ignores it"
        raise mistake(sentence, version.place, ("version",))
