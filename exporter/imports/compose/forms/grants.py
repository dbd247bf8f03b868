"""`secrets`, `configs` and `env_file` of a service: files that its containers get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import FormError, flag, items_of, optional, text_of

if TYPE_CHECKING:
    from exporter.imports.project import ModelPath


@dataclass(frozen=True, slots=True)
class Grant:
    """A secret or config that a service uses."""

    source: str
    """The key in the top-level `secrets` or `configs`."""
    target: str
    """The path in the container."""
    path: ModelPath
    uid: str | None = None
    gid: str | None = None
    mode: str | None = None
    """In decimal, as YAML reads it: `0400` is 256. In octal where it was written in quotes."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file with variables. It is never read here."""

    file: str
    path: ModelPath
    required: bool | str = True
    format: str | None = None


def secret_grants(value: Any) -> tuple[Grant, ...]:
    """Return the secrets of a service.

    Raises:
        FormError: an entry has no source.
    """
    return _grants(value, "/run/secrets/")


def config_grants(value: Any) -> tuple[Grant, ...]:
    """Return the configs of a service.

    Raises:
        FormError: an entry has no source.
    """
    return _grants(value, "/")


def env_files(value: Any) -> tuple[EnvFile, ...]:
    """Return the env files of a service in the order in which they are applied.

    Raises:
        FormError: an entry has no path.
    """
    if isinstance(value, str):
        return (EnvFile(value, ()),)
    found = []
    for path, item in items_of(value):
        if not isinstance(item, dict):
            found.append(EnvFile(text_of(item, path), path))
            continue
        file = optional(item, "path", path)
        if not file:
            raise FormError("the key path is missing", path)
        required = flag(item, "required", True)
        found.append(
            EnvFile(file, path, True if required is None else required, optional(item, "format", path))
        )
    return tuple(found)


def _grants(value: Any, folder: str) -> tuple[Grant, ...]:
    found = []
    for path, item in items_of(value):
        if not isinstance(item, dict):
            source = text_of(item, path)
            found.append(Grant(source, folder + source, path))
            continue
        named = optional(item, "source", path)
        if not named:
            raise FormError("the key source is missing", path)
        target = optional(item, "target", path) or named
        rooted = target if target.startswith("/") else folder + target
        ids = {key: optional(item, key, path) for key in ("uid", "gid", "mode")}
        found.append(Grant(named, rooted, path, **ids))
    return tuple(found)
