"""The key `compose:` in the Compose file: of a service, a store, a volume, and of the whole, in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.compose.specification import EXTENSION, TOP
from exporter.catalog.compose.words import MODELS
from exporter.catalog.reading.compose_secrets import PASSED, passed
from exporter.catalog.values.words import suggestion
from exporter.outputs.base import OutputError
from exporter.outputs.compose.merging import NoRemovalError, laid_over, without_nulls
from exporter.outputs.compose.specification import mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import CatalogPath, Finding

_GENERATED = ("x-container", "x-healthcheck")
"""Blocks that the generated file has itself."""
_SERVICES = "services"


def check_passed(catalog: Catalog) -> None:
    """Check all that is passed through against the specification.

    Raises:
        OutputError: something is wrong in it.
    """
    found: list[Finding] = []
    for path, keys in passed(catalog):
        section = MODELS[PASSED[str(path[0])].__name__] if len(path) > 1 else TOP
        found += [((*path, *inner), sentence) for inner, sentence in mistakes(section, keys)]
    found += [
        (("compose", key), "is a block that is generated; use another name")
        for key in _GENERATED
        if key in catalog.compose
    ]
    found += [
        (("compose", key), "is null; name what to remove in it, such as {NAME: null}")
        for key, value in catalog.compose.items()
        if value is None and not key.startswith(EXTENSION)
    ]
    if found:
        error = OutputError("")
        error.findings = tuple(dict.fromkeys(found))
        raise error


def unfollowed(catalog: Catalog, files: str) -> Iterator[Finding]:
    """Yield a warning for each `compose:`, for an output that writes other files than Compose's."""
    for path, _ in passed(catalog):
        yield path, f"applies to the Compose file only; {files} do not follow it"


def services_with(catalog: Catalog, services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the generated services with what is passed through for each.

    Raises:
        OutputError: a null removes nothing, or a service is not generated.
    """
    done = dict(services)
    for path, keys in passed(catalog):
        if path[0] in ("services", "stores") and path[1] in done:
            done[str(path[1])] = _over(done[str(path[1])], keys, path)
    whole = catalog.compose.get(_SERVICES) or {}
    for name, keys in whole.items():
        path = ("compose", _SERVICES, name)
        if name not in done:
            if name in {**catalog.services, **catalog.stores}:
                continue  # it is not deployed in this environment
            raise OutputError(
                f"is no service of the generated file; {suggestion(name, done)}; write new ones below services",
                *path,
            )
        if keys is None:
            raise OutputError("cannot be removed here; remove it from the catalog", *path)
        done[name] = _over(done[name], keys, path)
    return done


def document_with(catalog: Catalog, document: dict[str, Any]) -> dict[str, Any]:
    """Return the generated document with what is passed through outside of services.

    Raises:
        OutputError: a null removes nothing.
    """
    done = dict(document)
    for (section, *inner), keys in passed(catalog):
        if section in done and section != _SERVICES and inner[0] in done[section]:
            name = inner[0]
            laid = _over(done[section][name], keys, (section, *inner))
            done[section] = {**done[section], name: laid}
    extensions = {}
    for key, value in catalog.compose.items():
        if key.startswith(EXTENSION):
            extensions[key] = value
        elif key != _SERVICES:
            done[key] = dict(_entries(done.get(key, {}), value, ("compose", key)))
    return {**extensions, **{key: value for key, value in done.items() if value or key in document}}


def _entries(base: dict[str, Any], over: dict[str, Any], path: CatalogPath) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a section, each merged by the rules of its kind."""
    for name, keys in base.items():
        if name not in over:
            yield name, keys
        elif over[name] is not None:
            yield name, _over(keys, over[name], (*path, name))
    for name, keys in over.items():
        if name not in base:
            if keys is None:
                raise _nothing((*path, name))
            yield name, without_nulls(keys)


def _over(base: Any, over: dict[str, Any], path: CatalogPath) -> Any:
    try:
        return laid_over(base, over)
    except NoRemovalError as removal:
        raise _nothing((*path, *removal.path)) from None


def _nothing(path: CatalogPath) -> OutputError:
    return OutputError(
        "is null, which removes it, but it is not generated; write {} for an entry without settings, or a list",
        *path,
    )
