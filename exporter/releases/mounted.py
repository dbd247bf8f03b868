"""Installation of the files that containers mount: copies of the generated files in the state folder.

So a `git pull` does not change running services, and a rollback restores the old files. Files are written in place and
not renamed, because a container that mounts a single file would still see the old one. After a power failure, the next
run finds the journal and writes partial files again.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.host.state import sync

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CATALOG = "config.yaml"
PARTS = (
    "exporter",
    "gateway",
    "prometheus",
    "alertmanager",
    "grafana/provisioning",
    "stores",
)
SHARED = ("dashboards", "alert_rules")
"""Folders next to `deploy/` that all environments share."""
FORMER = ("grafana/dashboards",)
"""Folders in releases of earlier versions."""
_OF_SERVICE = {
    "exporter": (CATALOG, "exporter"),
    "grafana": ("grafana/provisioning", "dashboards", *FORMER),
    "prometheus": ("prometheus", "alert_rules"),
}
READERS: Mapping[str, str] = {
    "exporter": "exporter",
    CATALOG: "exporter",
    "gateway": "gateway",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "grafana/provisioning": "grafana",
    "alert_rules": "prometheus",
}
"""The service that has to reload a part. Files of stores are read only once, when their data is created; Grafana
reloads dashboards by itself."""


@dataclass(frozen=True, slots=True)
class Source:
    """Files to install: the generated ones and the catalog, or those kept with a release.

    `folder`: the environment's files. `shared`: the parent of the folders that all environments share.
    """

    folder: Path
    catalog: Path
    shared: Path

    def path(self, part: str) -> Path:
        """Return the path of a part."""
        return self.catalog if part == CATALOG else (self.shared if part in SHARED else self.folder) / part


def parts_of(service: str) -> tuple[str, ...]:
    """Return the parts that only `service` mounts; all parts if it is empty."""
    if not service:
        return (*PARTS, *SHARED, *FORMER, CATALOG)
    return _OF_SERVICE.get(service) or ((service,) if service in PARTS else (f"stores/{service}",))


def install(source: Source, target: Path, service: str = "") -> list[str]:
    """Make `target` equal to `source`, and return the parts that changed.

    Raises:
        OperationError: A file cannot be read or written.
    """
    changed = []
    parts = parts_of(service if target.is_dir() else "")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for part in parts:
            path = source.path(part)
            if not same(path, target / part):
                changed.append(part)
                replace(path, target / part)
        sync(target)
    except OSError as error:
        raise OperationError(
            f"{error.filename or target}: {error.strerror}; the files that containers mount could not be installed"
        ) from None
    return changed


def same(one: Path, other: Path) -> bool:
    """True if both are equal files or trees, or neither exists."""
    if one.is_dir() and other.is_dir():
        names = {path.name for path in (*one.iterdir(), *other.iterdir())}
        return all(same(one / name, other / name) for name in names)
    if one.is_file() and other.is_file():
        return one.read_bytes() == other.read_bytes()
    return not (one.exists() or other.exists())


def replace(source: Path, target: Path) -> None:
    """Make `target` equal to `source`, in place if both are of the same kind; remove it if there is no `source`."""
    if source.is_dir():
        if not target.is_dir():
            target.unlink(missing_ok=True)
            target.mkdir(parents=True)
        for name in {path.name for path in (*source.iterdir(), *target.iterdir())}:
            replace(source / name, target / name)
        return
    if target.is_dir():
        shutil.rmtree(target)
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            stream.write(source.read_bytes())
            stream.flush()
            os.fsync(stream.fileno())
    else:
        target.unlink(missing_ok=True)
