"""The secrets that Alertmanager reads and that the stack mounts for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import path_text
from exporter.catalog.values.references import TextTemplate
from exporter.outputs.base import OutputError, Refusals
from exporter.outputs.stack import SECRETS_FOLDER, MountedSecret, mounted_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.base import Model
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import CatalogPath


def mounted_secrets(catalog: Catalog) -> list[MountedSecret]:
    """Return the files that alertmanager.yml names, each once, sorted by name.

    Raises:
        OutputError: a secret is not in a single file, or two secrets would be the same file.
    """
    found: dict[str, tuple[MountedSecret, CatalogPath]] = {}
    refusals = Refusals()
    for where, template in _references(catalog):
        with refusals.gathered():
            secret = mounted_secret(template, where)
            other, first = found.setdefault(secret.name, (secret, where))
            if other != secret:
                raise OutputError(
                    f"and {path_text(first)} would both be the file {SECRETS_FOLDER}/{secret.name}; "
                    "give one of them another name under secrets",
                    *where,
                )
    refusals.end()
    return [secret for _, (secret, _) in sorted(found.items())]


def _references(catalog: Catalog) -> Iterator[tuple[CatalogPath, TextTemplate]]:
    yield from _in_model(("alertmanager",), catalog.alertmanager)
    if catalog.alertmanager.smtp:
        yield from _in_model(("alertmanager", "smtp"), catalog.alertmanager.smtp)
    for name, owner in catalog.owners.items():
        for kind in type(owner).model_fields:
            receivers = getattr(owner, kind)
            for index, receiver in enumerate(receivers if isinstance(receivers, tuple) else ()):
                yield from _in_model(("owners", name, kind, index), receiver)


def _in_model(where: CatalogPath, model: Model) -> Iterator[tuple[CatalogPath, TextTemplate]]:
    for key in type(model).model_fields:
        value = getattr(model, key)
        if isinstance(value, TextTemplate) and value.literal is None:
            yield (*where, key), value
