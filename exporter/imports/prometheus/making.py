"""Notes, and secrets that become references."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.warnings import is_secret
from exporter.catalog.values.words import quoted
from exporter.imports.masking import masked, secret_name
from exporter.imports.project import Note
from exporter.imports.prometheus.config import catalog_text
from exporter.patterns import Pattern, PatternError

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.imports.project import Place


@dataclass(slots=True)
class Making:
    """Notes and secrets of a whole import, each once."""

    notes: dict[Note, None] = field(default_factory=dict)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def note(self, sentence: str, place: Place, key: str = "") -> None:
        self.notes[Note(sentence, tuple(filter(None, key.split("."))), place)] = None

    def lost(self, key: str, place: Place, why: str = "") -> None:
        """Say that a key of a module has no counterpart."""
        self.note(f"cannot be written in the catalog{f': {why}' if why else ''}; it is left out", place, key)

    def secret(self, place: Place, *parts: str) -> dict[str, str]:
        """Return a reference to a secret whose value is written at `place`."""
        name = secret_name(*parts).lower()
        self.secrets[name] = {}
        self.note(f"a secret is written here; the catalog refers to it: put it into ./secrets/{name}", place)
        return {"secret": name}

    def text(self, value: str, place: Place, *parts: str) -> str:
        """Return text as the catalog writes it, with `${NAME}` in place of secrets."""

        def reference(name: str) -> str:
            variable = secret_name(*parts, name)
            self.note(f"a secret is written here; the catalog reads it from the variable {variable}", place)
            return f"${{{variable}}}"

        return masked(value, reference, catalog_text)

    def header(self, name: str, value: str, place: Place, *parts: str) -> str | dict[str, str]:
        """Return the value of a request's header; a reference if it is a secret."""
        if is_secret(name, value):
            return self.secret(place, *parts, name)
        return self.text(value, place, *parts)

    def pattern(self, value: str, place: Place) -> str | None:
        """Return a regular expression of Go as the catalog writes it; None if RE2 does not take it."""
        try:
            Pattern(value)
        except PatternError as error:
            self.note(f"{quoted(value)} is not a regular expression (RE2): {error}; it is left out", place)
            return None
        return catalog_text(value)


def absolute(written: str, folder: Path | None) -> str:
    """Return a path as the catalog finds it: relative ones start from the configuration's folder."""
    path = (folder / written) if folder is not None else written
    return catalog_text(str(path))
