"""Names and folders of a host that the daemon, the generated files and the scripts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.values.references import parse_template

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

MARKERS = "markers"
"""Folder of the backup markers; docs/backup-marker.md describes their format."""
DEPLOYS = "deploys.jsonl"
"""File of the deploy records, in the state folder."""


def compose_project(catalog: Catalog) -> str:
    """Return the name of the Compose project, which separates the environments of a host."""
    return f"{catalog.project}-{catalog.environment_name}"


def fixed_volumes(catalog: Catalog) -> dict[str, str]:
    """Return the engine's names of volumes that the catalog names itself, and that another project may have created."""
    names = {name: own_volume_name(catalog, name) for name in catalog.volumes}
    found = {name: parse_template(text).literal for name, text in names.items() if text}
    return {name: text for name, text in found.items() if text}


def own_volume_name(catalog: Catalog, volume: str) -> str | None:
    """Return the engine's name of a volume as written, perhaps with references; None if Compose names it."""
    described = catalog.volumes.get(volume)
    if described is None:
        return None
    return described.name or (volume if described.external else None)


def state_folder(catalog: Catalog) -> str:
    """Return the host's folder for the state of an environment, unless STATE_FOLDER overrides it."""
    return f"/var/lib/{catalog.project}/{catalog.environment_name}"


def secrets_folder(catalog: Catalog) -> str:
    """Return the host's folder for the secrets of an environment, unless SECRETS_FOLDER overrides it."""
    return f"/etc/{catalog.project}/{catalog.environment_name}/secrets"
