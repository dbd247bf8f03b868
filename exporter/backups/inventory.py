"""Inventory of a tar archive as one short text, the same for two archives of the same tree in any order.

It is computed while the archive streams by, so a volume is read only once and never stored unencrypted.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any, cast

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from exporter.backups.engines.shape import Readable, Writable

_CHUNK = 1024 * 1024


class _Tee:
    """A stream that copies what is read to `target`."""

    def __init__(self, source: Readable, target: Writable | None) -> None:
        self._source = source
        self._target = target

    def read(self, size: int) -> bytes:
        chunk = self._source.read(size)
        if self._target is not None:
            self._target.write(chunk)
        return chunk


def inventory(source: Readable, target: Writable | None = None) -> str:
    """Return counts and one checksum of the names, types, owners, modes, link targets and contents of a tar archive.

    Times are left out, because each restore changes those of folders. `target` gets the archive byte for byte. Raises
    BackupsError if the archive is incomplete, and OSError.
    """
    tee = _Tee(source, target)
    lines: dict[str, list[object]] = {}
    counts = {"files": 0, "folders": 0, "others": 0, "bytes": 0}
    try:
        with tarfile.open(fileobj=cast("Any", tee), mode="r|", errorlevel=2) as archive:
            for member in archive:
                lines[member.name] = _line(archive, member, lines)
                counts[
                    "files" if member.isreg() or member.islnk() else "folders" if member.isdir() else "others"
                ] += 1
                counts["bytes"] += member.size
    except tarfile.TarError as error:
        raise BackupsError(f"the archive is incomplete: {error}") from None
    while tee.read(_CHUNK):
        pass
    text = json.dumps([[name, *lines[name]] for name in sorted(lines)])
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
    return json.dumps({**counts, "sha256": digest}) + "\n"


def _line(archive: tarfile.TarFile, member: tarfile.TarInfo, before: dict[str, list[object]]) -> list[object]:
    """Return the line of one member. A hard link is described as its file, since the order of links is random."""
    if member.islnk():
        if member.linkname not in before:
            raise BackupsError(
                f"the archive is incomplete: {member.name!r} links to a file that is not in it"
            )
        return before[member.linkname]
    digest = hashlib.sha256()
    content = archive.extractfile(member) if member.isreg() else None
    while content is not None and (chunk := content.read(_CHUNK)):
        digest.update(chunk)
    kind = "file" if member.isreg() else member.type.decode()
    return [kind, member.uid, member.gid, member.mode, member.linkname, member.size, digest.hexdigest()]
