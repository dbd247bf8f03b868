"""The configuration: the files of `backup.configuration`, packed and restored."""

from __future__ import annotations

import shutil
import tarfile
from typing import TYPE_CHECKING, Any, cast

from exporter.backups.engines.packing import Unpacked, packed
from exporter.backups.engines.shape import Restored
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.backups.engines.shape import Counts, Place, Readable, Source, Target, Writable

BESIDE = ".configuration-restore"


def version(place: Place) -> str:  # noqa: ARG001 - the shape of an engine
    """Return nothing: files have no server."""
    return ""


def ready(place: Place) -> bool:  # noqa: ARG001 - the shape of an engine
    """Return True: files need nothing that runs."""
    return True


def count(place: Place) -> Counts:
    """Count the files."""
    folder = _folder(place)
    found = [folder / path for path in place.files]
    return {"files": sum(1 for each in found for path in (each, *each.rglob("*")) if path.is_file())}


def save(place: Place, target: Target) -> Counts:
    """Pack the files and folders that the catalog names."""
    place.steps.begin("packing the configuration")
    counts = count(place)
    with target.file("configuration.tar.gz", "configuration") as file, packed(file) as archive:
        pack(_folder(place), place.files, archive)
    return counts


def load(place: Place, source: Source) -> Restored:
    """Restore the files; files that are not in the backup stay."""
    folder = _folder(place)
    place.steps.begin(f"restoring the configuration below {folder}")
    with source.open("configuration") as file:
        return Restored(files=tuple(unpack(Unpacked(file), folder)))


def pack(folder: Path, paths: Iterable[str], target: Writable) -> None:
    """Write a tar archive of these files and folders below `folder`. Raises BackupsError and OSError."""
    with tarfile.open(fileobj=cast("Any", target), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            place = folder / path
            if not place.resolve().is_relative_to(folder.resolve()):
                raise BackupsError(
                    f"backup.configuration: {path!r} is not below the catalog's folder {folder}"
                )
            if not place.exists():
                raise BackupsError(f"backup.configuration: there is no {place}")
            archive.add(place, arcname=place.relative_to(folder).as_posix())


def unpack(source: Readable, folder: Path) -> list[str]:
    """Unpack an archive below `folder`, and return the paths of its files.

    Files are unpacked next to the old ones first, and then replace them by a rename, so a script that is being read
    does not change under its reader. Files that are not in the archive stay. Raises BackupsError and OSError.
    """
    beside = folder / BESIDE
    if beside.is_dir():
        shutil.rmtree(beside)  # left by a killed restore
    beside.mkdir(mode=0o700)
    try:
        with tarfile.open(fileobj=cast("Any", source), mode="r|", errorlevel=2) as archive:
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


def _folder(place: Place) -> Path:
    if place.folder is None:
        raise BackupsError("the folder of the configuration is unknown")
    return place.folder
