"""The configuration's archive: the files of `backup.configuration`, packed and put back."""

from __future__ import annotations

import shutil
import tarfile
from typing import TYPE_CHECKING

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

BESIDE = ".configuration-restore"


def pack(folder: Path, paths: Iterable[str], target: BinaryIO) -> None:
    """Write a tar archive of these files and folders, which lie below `folder`. Raises BackupsError and OSError."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            place = folder / path
            if not place.resolve().is_relative_to(folder.resolve()):
                raise BackupsError(
                    f"backup.configuration: {path!r} is not below the catalog's folder {folder}"
                )
            if not place.exists():
                raise BackupsError(f"backup.configuration: there is no {place}")
            archive.add(place, arcname=place.relative_to(folder).as_posix())


def unpack(source: BinaryIO, folder: Path) -> list[str]:
    """Put an archive's files in their places below `folder`; their paths.

    All are unpacked beside first, and each then replaces the old one by a rename: a script that is being read stays as
    it was for its reader. Files that the archive does not have stay. Raises BackupsError and OSError.
    """
    beside = folder / BESIDE
    if beside.is_dir():
        shutil.rmtree(beside)  # of a restore that was killed
    beside.mkdir(mode=0o700)
    try:
        with tarfile.open(fileobj=source, mode="r|", errorlevel=2) as archive:
            archive.extractall(beside, filter="data")
        put = []
        for place in sorted(beside.rglob("*")):
            name = place.relative_to(beside)
            if place.is_dir() and not place.is_symlink():
                (folder / name).mkdir(parents=True, exist_ok=True)
                shutil.copystat(place, folder / name)
            else:
                place.replace(folder / name)
                put.append(name.as_posix())
    except tarfile.TarError as error:
        raise BackupsError(f"the archive of the configuration cannot be unpacked: {error}") from None
    finally:
        shutil.rmtree(beside)
    return put
