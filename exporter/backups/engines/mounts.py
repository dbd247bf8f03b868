"""A container's storage as another container gets it, and what throw-away containers may do with it."""

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
    """Return the mount of the container on which `path` lies; secrets are never such a mount. Raises BackupsError.

    Not Docker's `--volumes-from`: an engine refuses it where the container has a tmpfs, too.
    """
    covering = [
        mount
        for mount in place.mounts or place.host.mounts(place.container)
        if mount.type in ("volume", "bind") and f"{path}/".startswith(f"{mount.target.rstrip('/')}/")
    ]
    nearest = max(covering, key=lambda mount: len(mount.target), default=None)
    if nearest is None or not nearest.writable or f"{nearest.target}/".startswith(f"{_SECRETS}/"):
        raise BackupsError(
            f"the path {printable(path)} of {place.name} lies on no volume that the container writes to"
        )
    return nearest
