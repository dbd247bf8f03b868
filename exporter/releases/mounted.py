"""Install the files that containers mount: copies of the generated ones in the state folder.

What runs does not change with a `git pull`, and a rollback brings back the files of then. Files are written in place
and not by renaming: a container that mounts a single file would go on seeing the old one. What is half-written when the
power fails is written again by the next run, which finds the journal.
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
    "grafana/dashboards",
    "stores",
)
_OF_SERVICE = {
    "exporter": (CATALOG, "exporter"),
    "grafana": ("grafana/provisioning", "grafana/dashboards"),
}
READERS: Mapping[str, str] = {
    "exporter": "exporter",
    CATALOG: "exporter",
    "gateway": "gateway",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "grafana/provisioning": "grafana",
}
"""The service that has to read a part again. Files of stores are read once, when their data is made; Grafana looks at
dashboards by itself."""


@dataclass(frozen=True, slots=True)
class Source:
    """Files to install: the generated ones and the catalog, or those that a release kept."""

    folder: Path
    catalog: Path


def parts_of(service: str) -> tuple[str, ...]:
    """Return what `service` alone mounts; everything if it is empty."""
    if not service:
        return (*PARTS, CATALOG)
    return _OF_SERVICE.get(service) or ((service,) if service in PARTS else (f"stores/{service}",))


def install(source: Source, target: Path, service: str = "") -> list[str]:
    """Make `target` as `source` and return the parts that changed.

    Raises:
        OperationError: a file cannot be read or written.
    """
    changed = []
    parts = parts_of(service if target.is_dir() else "")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for part in parts:
            path = source.catalog if part == CATALOG else source.folder / part
            if not same(path, target / part):
                changed.append(part)
                replace(path, target / part)
        sync(target)
    except OSError as error:
        raise OperationError(
            f"{error.filename or target}: {error.strerror}; files that containers mount could not be installed"
        ) from None
    return changed


def same(one: Path, other: Path) -> bool:
    """True if both are the same file or tree, or neither is there."""
    if one.is_dir() and other.is_dir():
        names = {path.name for path in (*one.iterdir(), *other.iterdir())}
        return all(same(one / name, other / name) for name in names)
    if one.is_file() and other.is_file():
        return one.read_bytes() == other.read_bytes()
    return not (one.exists() or other.exists())


def replace(source: Path, target: Path) -> None:
    """Make `target` as `source`, in place where both are files or both are folders; remove it where there is none."""
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
