"""Mounts of a container's storage in a throw-away container, and the capabilities to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.backups.steps import printable
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from exporter.backups.engines.shape import Mount, Place

READ = ("DAC_READ_SEARCH",)
WRITE = ("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "MKNOD")
_SECRETS = "/run/secrets"


def mount_of(place: Place, path: str) -> Mount:
    """Return the container's mount that contains `path`, but never one of secrets. Raises BackupsError.

    Docker's `--volumes-from` is not used: an engine refuses it if the container also has a tmpfs.
    """
    covering = [
        mount
        for mount in place.mounts or place.host.mounts(place.container)
        if mount.type in ("volume", "bind") and f"{path}/".startswith(f"{mount.target.rstrip('/')}/")
    ]
    nearest = max(covering, key=lambda mount: len(mount.target), default=None)
    if nearest is None or not nearest.writable or f"{nearest.target}/".startswith(f"{_SECRETS}/"):
        raise BackupsError(
            f"the path {printable(path)} of {place.name} is not on a volume that the container can write to"
        )
    return nearest
