"""`volumes` and `tmpfs` of a service: is it a folder of the host, a volume, or not known?"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.expressions import by_default, has_variable, split
from exporter.imports.compose.forms.base import (
    FormError,
    flag,
    items_of,
    mapping_of,
    optional,
    text_of,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.imports.project import ModelPath

BIND, VOLUME, TMPFS, UNKNOWN = "bind", "volume", "tmpfs", "unknown"
_PATH = re.compile(r"[./~]|\\\\|[A-Za-z]:")
_DRIVE = re.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount of a service."""

    raw: str
    """The entry as written; empty for the long form."""
    path: ModelPath
    kind: str
    """bind, volume, tmpfs, another type of the long form, or unknown: a variable decides."""
    source: str = ""
    """A folder of the host or the key of a volume, as written. Empty for an anonymous volume."""
    target: str = ""
    read_only: bool | str = False
    options: tuple[str, ...] = ()
    """Options of the short form, without ro and rw."""
    rest: dict[str, Any] = field(default_factory=dict)
    """Other keys of the long form: bind, volume, tmpfs, consistency."""


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """One entry of `tmpfs`."""

    raw: str
    target: str
    options: tuple[str, ...] = ()


def mounts(value: Any, volumes: Collection[str] = ()) -> tuple[Mount, ...]:
    """Return the mounts of a service. `volumes`: the keys of the top-level `volumes`.

    Raises:
        FormError: an entry is no mount.
    """
    found = [
        _long(entry, path) if isinstance(entry, dict) else _short(text_of(entry, path), path, volumes)
        for path, entry in items_of(value)
    ]
    return tuple({mount.target or mount.path: mount for mount in found}.values())


def tmpfs(value: Any) -> tuple[Tmpfs, ...]:
    """Return the entries of `tmpfs`, such as `/run:size=64m,mode=1777`."""
    found = []
    for text in texts_of(value):
        target, *options = split(text, ":")
        found.append(Tmpfs(text, target, tuple(",".join(options).split(",")) if options else ()))
    return tuple(found)


def kind_of_source(source: str, volumes: Collection[str]) -> str:
    """Return bind or volume for the source of a short form; unknown where a variable without a default decides.

    Compose itself decides by the first character, after it has put in the variables.
    """
    if not has_variable(source):
        return BIND if _PATH.match(source) else VOLUME
    literal = by_default(source)
    if literal:
        return VOLUME if literal in volumes else BIND if _PATH.match(literal) or "/" in literal else VOLUME
    # A volume's name has no slash, so what follows a variable as a path belongs to one of the host.
    return BIND if _PATH.match(source) or len(split(source, "/")) > 1 else UNKNOWN


def _short(text: str, path: ModelPath, volumes: Collection[str]) -> Mount:
    parts = _drives_joined(split(text, ":"))
    if not all(parts):
        raise FormError("is not a mount: one side of a colon is empty", path)
    if len(parts) > _PARTS:
        raise FormError("is not a mount: too many colons", path)
    if len(parts) == 1:
        if has_variable(text) and ":" in (by_default(text) or ":"):
            return Mount(text, path, UNKNOWN)
        return Mount(text, path, VOLUME, target=_clean(text))
    source, target = parts[:2]
    options = parts[2].split(",") if len(parts) == _PARTS else []
    return Mount(
        text,
        path,
        kind_of_source(source, volumes),
        source,
        _clean(target),
        "ro" in options,
        tuple(option for option in options if option not in ("ro", "rw")),
    )


def _long(entry: dict[str, Any], path: ModelPath) -> Mount:
    kind = optional(entry, "type", path)
    if not kind:
        raise FormError("the key type is missing", path)
    rest = {key: inner for key, inner in entry.items() if key not in _NAMED}
    for key in _NESTED & set(rest):
        mapping_of(rest[key], (*path, key))
    try:
        read_only = flag(entry, "read_only", False) or False
    except FormError as error:
        raise FormError(error.sentence, (*path, *error.path)) from None
    source, target = optional(entry, "source", path) or "", optional(entry, "target", path) or ""
    return Mount("", path, kind, source, target, read_only, (), rest)


def _clean(target: str) -> str:
    """Return a path without double slashes and dots, as Compose makes it."""
    return target if has_variable(target) else re.sub("^//+", "/", posixpath.normpath(target))


def _drives_joined(parts: list[str]) -> list[str]:
    """Return the parts with the colon of a Windows drive put back: `C:\\data:/data`.

    Compose takes every single letter for a drive, so `a:/b` is no volume `a`.
    """
    joined: list[str] = []
    for part in parts:
        if joined and _DRIVE.fullmatch(joined[-1]):
            joined[-1] += f":{part}"
        else:
            joined.append(part)
    return joined


_PARTS = 3
_NAMED = frozenset({"type", "source", "target", "read_only"})
_NESTED = frozenset({"bind", "volume", "tmpfs", "image"})
