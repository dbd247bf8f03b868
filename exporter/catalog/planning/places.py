"""Names and folders of a host by which the daemon, the generated files and the scripts find one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

MARKERS = "markers"
"""The folder of the backups' markers; docs/backup-marker.md has their format."""
DEPLOYS = "deploys.jsonl"
"""The records of deploys, in the folder of the state."""


def compose_project(catalog: Catalog) -> str:
    """The name that keeps one environment of a host from another."""
    return f"{catalog.project}-{catalog.environment_name}"


def state_folder(catalog: Catalog) -> str:
    """Where a host keeps what deploys of an environment leave, unless STATE_FOLDER says otherwise."""
    return f"/var/lib/{catalog.project}/{catalog.environment_name}"


def secrets_folder(catalog: Catalog) -> str:
    """Where a host keeps the files of an environment's secrets, unless SECRETS_FOLDER says otherwise."""
    return f"/etc/{catalog.project}/{catalog.environment_name}/secrets"
