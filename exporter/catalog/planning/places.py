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
    names = {
        name: volume.name or (name if volume.external else None) for name, volume in catalog.volumes.items()
    }
    found = {name: parse_template(text).literal for name, text in names.items() if text}
    return {name: text for name, text in found.items() if text}


def state_folder(catalog: Catalog) -> str:
    """Return the host's folder for the state of an environment, unless STATE_FOLDER overrides it."""
    return f"/var/lib/{catalog.project}/{catalog.environment_name}"


def secrets_folder(catalog: Catalog) -> str:
    """Return the host's folder for the secrets of an environment, unless SECRETS_FOLDER overrides it."""
    return f"/etc/{catalog.project}/{catalog.environment_name}/secrets"
