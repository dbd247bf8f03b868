"""Keys of a service about storage: volumes, folders of the host, files of secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import quoted
from exporter.imports.project import Note

if TYPE_CHECKING:
    from exporter.imports.engine.answers import Part
    from exporter.imports.engine.found import Found
    from exporter.imports.engine.shared import Shared

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_SECRET = re.compile(r"/(?:var/)?run/secrets/([A-Za-z0-9._-]+)")
_OPTIONS = frozenset({"z", "Z", "cached", "delegated", "consistent", "nocopy"})


def storage_keys(found: Found, shared: Shared) -> dict[str, Any]:
    """Return `volumes` and `secrets`."""
    volumes: list[Any] = []
    secrets: list[Any] = []
    for mount in found.described.parts("Mounts"):
        kind, target, source = mount.text("Type"), mount.text("Destination"), mount.text("Source")
        if not target:
            continue
        secret = _SECRET.fullmatch(target)
        if kind == "bind" and secret and source:
            key = shared.secret(secret[1], source.replace("$", "$$"))
            secrets.append(key if key == secret[1] else {"source": key, "target": secret[1]})
        elif kind == "bind" and source:
            volumes.append(_mount("bind", source, mount, found))
        elif kind == "volume" and _ANONYMOUS.fullmatch(mount.text("Name")):
            volumes += _anonymous(target, found, shared)
        elif kind == "volume" and mount.text("Name"):
            volumes.append(_mount("volume", shared.volume(mount.text("Name")), mount, found))
        elif kind == "tmpfs":
            volumes.append({"type": "tmpfs", "target": target.replace("$", "$$")})
        else:
            sentence = f"the mount at {quoted(target)} is of a kind that is not known here; it is left out"
            shared.notes.append(Note(sentence, place=found.place))
    return {key: value for key, value in (("volumes", volumes), ("secrets", secrets)) if value}


def _anonymous(target: str, found: Found, shared: Shared) -> list[str]:
    sentence = f"data at {quoted(target)} is in a volume without a name, which ends with its container"
    shared.notes.append(Note(sentence, place=found.place))
    # What the image declares, the engine makes by itself.
    return [] if target in found.image.part("Config").named("Volumes") else [target.replace("$", "$$")]


def _mount(kind: str, source: str, mount: Part, found: Found) -> Any:
    """Return a mount in the short form, or in the long one if that cannot hold it."""
    target, long = mount.text("Destination"), _requested(mount.text("Destination"), found)
    options = [each for each in mount.text("Mode").split(",") if each in _OPTIONS]
    propagation = mount.text("Propagation")
    if kind == "bind" and propagation not in ("", "rprivate"):
        options.append(propagation)
    read_only = mount.content.get("RW") is False
    subpath = long.part("VolumeOptions").text("Subpath") if long else ""
    source, target = source.replace("$", "$$"), target.replace("$", "$$")
    if subpath or ":" in source or ":" in target:
        extra = {"read_only": True} if read_only else {}
        return {"type": kind, "source": source, "target": target, **extra} | (
            {"volume": {"subpath": subpath.replace("$", "$$")}} if subpath else {}
        )
    options = (["ro"] if read_only else []) + options
    return ":".join((source, target, *([",".join(options)] if options else [])))


def _requested(target: str, found: Found) -> Part | None:
    """Return the mount as it was asked for, if it was in the long form."""
    mounts = found.described.part("HostConfig").parts("Mounts")
    return next((each for each in mounts if each.text("Target") == target), None)
