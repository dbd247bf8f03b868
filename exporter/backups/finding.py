"""Lookup of a backup by id, folder or `latest`, on this host and then in the bucket. It is verified."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.backups.authentic import read_manifest
from exporter.backups.checks import findings, whole_backups
from exporter.backups.manifest import ID
from exporter.backups.s3 import Bucket
from exporter.backups.subjects import BackupsError
from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.backups.authentic import Trust
    from exporter.backups.manifest import Manifest
    from exporter.catalog.catalog import Catalog

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Found:
    """A backup that is authentic and complete."""

    folder: Path
    manifest: Manifest


def find(catalog: Catalog, backups: Path, wanted: str, trust: Trust, say: Callable[[str], None]) -> Found:
    """Return the backup `wanted`; one that is only in the bucket is downloaded. Raises BackupsError."""
    folder = _folder(catalog, backups, wanted, trust, say)
    say(f"verifying {folder}")
    wrong = findings(folder, trust)
    for sentence in wrong:
        say(sentence)
    if wrong:
        raise BackupsError(f"the backup {shown(wanted, 4096)} cannot be restored; see the problems above")
    return Found(folder, read_manifest(folder, trust))


def _folder(catalog: Catalog, backups: Path, wanted: str, trust: Trust, say: Callable[[str], None]) -> Path:
    if "/" in wanted:
        folder = Path(wanted)
        if not folder.is_dir():
            raise BackupsError(f"there is no folder {shown(wanted, 4096)}")
        return folder.resolve()
    if wanted == LATEST:
        wanted = _latest(catalog, backups)
    elif not ID.fullmatch(wanted):
        raise BackupsError(
            f"{shown(wanted)} is not a backup; give an id such as 20260102T030000Z, a folder with a /, or latest"
        )
    folder = backups / wanted
    s3 = catalog.backup.s3
    if not folder.exists() and s3:
        say(f"downloading {wanted} from the bucket {s3.bucket}")
        try:
            return Bucket(catalog).download(wanted, backups, trust)
        except BackupsError as error:
            raise BackupsError(
                f"the backup {wanted} could not be downloaded from the bucket {s3.bucket}: {error}"
            ) from None
    return folder


def _latest(catalog: Catalog, backups: Path) -> str:
    here = whole_backups(backups)
    if here:
        return here[0].name
    s3 = catalog.backup.s3
    there = Bucket(catalog).backups() if s3 else []
    if not there:
        bucket = f", and none in the bucket {s3.bucket}" if s3 else ""
        raise BackupsError(f"there is no backup in {backups}{bucket}")
    return there[0]
