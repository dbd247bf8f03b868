"""A volume: a tar archive of everything in it, with one checksum of names, owners, modes and contents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.backups.engines.inside import reading
from exporter.backups.engines.mounts import READ, WRITE
from exporter.backups.engines.packing import Unpacked, packed
from exporter.backups.engines.shape import Compared, Mount, Restored, read_all
from exporter.backups.inventory import inventory
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from exporter.backups.engines.shape import Counts, Place, Source, Target, Writable

_PLACE = "/volume"
_TAR = ["tar", "-C", _PLACE, "-cf", "-", "."]
_FILL = "find /volume -mindepth 1 -maxdepth 1 -exec rm -rf -- {} + && tar -C /volume -xpf -"
_COUNT_BYTES = 4096
_NUMBERS = ("files", "folders", "others", "bytes")


def version(place: Place) -> str:  # noqa: ARG001 - the shape of an engine
    """Return nothing: a volume has no server."""
    return ""


def ready(place: Place) -> bool:  # noqa: ARG001 - the shape of an engine
    """Return True: a volume needs nothing that runs."""
    return True


def count(place: Place) -> Counts:
    """Count files, folders and bytes."""
    return _counts(_inventory(place, None), place.name)


def save(place: Place, target: Target) -> Counts:
    """Pack the volume, and compute its checksum on the way."""
    place.steps.begin(f"packing the volume {place.name}")
    with target.file("volume.tar.gz", "volume") as file, packed(file) as archive:
        text = _inventory(place, archive)
    with target.file("counts", "counts") as file:
        file.write(text.encode())
    return _counts(text, place.name)


def load(place: Place, source: Source) -> Restored:
    """Empty the volume, unpack the saved files into it, and compare the checksums."""
    name, steps = place.name, place.steps
    steps.begin(f"filling the volume {name}")
    with source.open("volume") as file:
        ended = place.host.throw_away(
            ["sh", "-c", _FILL],
            image=place.helper_image,
            mounts=[Mount("volume", place.volume, _PLACE)],
            capabilities=WRITE,
            source=Unpacked(file),
            seconds=place.seconds_left,
        )
    if ended.status:
        raise steps.failed(ended.said)
    steps.begin(f"comparing the files of {name}")
    with source.open("counts") as file:
        expected = read_all(file, _COUNT_BYTES).decode(errors="replace")
    found = _inventory(place, None)
    saved, restored = _counts(expected, name), _counts(found, name)
    if expected != found:
        for what, number in saved.items():
            steps.say(f"{what}: {number} saved, {restored[what]} restored")
        raise BackupsError(f"the volume {name} differs from what was saved (see above)")
    return Restored(tuple(Compared(what, number, restored[what]) for what, number in saved.items()))


def _inventory(place: Place, target: Writable | None) -> str:
    def run(into: Writable) -> None:
        ended = place.host.throw_away(
            _TAR,
            image=place.helper_image,
            mounts=[Mount("volume", place.volume, _PLACE, writable=False)],
            capabilities=READ,
            target=into,
            seconds=place.seconds_left,
        )
        if ended.status:
            raise place.steps.failed(ended.said)

    with reading(run) as archive:
        return inventory(archive, target)


def _counts(text: str, name: str) -> Counts:
    try:
        told = json.loads(text)
        counts = {what: told[what] for what in _NUMBERS}
    except (ValueError, KeyError, TypeError, RecursionError):
        counts = {}
    if not counts or not all(type(number) is int and number >= 0 for number in counts.values()):
        raise BackupsError(f"the backup of {name} has no valid counts of the volume's files")
    return counts
