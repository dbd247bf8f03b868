"""Names and folders of a host that the daemon, the generated files and the scripts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

MARKERS = "markers"
"""Folder of the backup markers; docs/backup-marker.md describes their format."""
DEPLOYS = "deploys.jsonl"
"""File of the deploy records, in the state folder."""


def compose_project(catalog: Catalog) -> str:
    """Return the name of the Compose project, which separates the environments of a host."""
    return f"{catalog.project}-{catalog.environment_name}"


def state_folder(catalog: Catalog) -> str:
    """Return the host's folder for the state of an environment, unless STATE_FOLDER overrides it."""
    return f"/var/lib/{catalog.project}/{catalog.environment_name}"


def secrets_folder(catalog: Catalog) -> str:
    """Return the host's folder for the secrets of an environment, unless SECRETS_FOLDER overrides it."""
    return f"/etc/{catalog.project}/{catalog.environment_name}/secrets"
