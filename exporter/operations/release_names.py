"""The release that a container runs, as a person calls it: a tag, not a digest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from exporter.host.shown import shown

if TYPE_CHECKING:
    from exporter.host.containers import Container
    from exporter.host.state import StateFolder

_ROLLBACK = re.compile(r"[a-z0-9_.-]+/(?P<service>[a-z0-9_.-]+):rollback-(?P<deploy>[0-9A-Za-z-]+)")
_ID = re.compile(r"sha256:[0-9a-f]+|[0-9a-f]{64}")
_SHORT = 12


@dataclass(frozen=True)
class ReleaseNames:
    """Names of images. After a rollback a container runs by its rollback tag, which `rollback/ID/before` explains."""

    state: StateFolder

    def of(self, container: Container) -> str:
        """Return the tag of a container's image, else the beginning of its digest or id."""
        name = container.image_name
        rolled = _ROLLBACK.fullmatch(name)
        if rolled:
            name = _before(self.state, rolled["deploy"]).get(rolled["service"], name)
        return tag_of(name) or container.image_id.removeprefix("sha256:")[:_SHORT]


def tag_of(image: str) -> str:
    """Return the tag in an image's name; without one, the beginning of its digest, else `latest`. Empty for an id."""
    if _ID.fullmatch(image):
        return ""
    name, _, digest = image.partition("@")
    last = name.rpartition("/")[2]
    _, found, tag = last.partition(":")
    if found:
        return shown(tag)
    if digest:
        return shown(digest.removeprefix("sha256:")[:_SHORT])
    return "latest"


@cache
def _before(state: StateFolder, deploy: str) -> dict[str, str]:
    """Names of images by service, as they were before a deploy."""
    lines = (state.read(f"rollback/{deploy}/before") or "").splitlines()
    words = (line.split() for line in lines)
    return {each[0]: each[2] for each in words if len(each) == 3}
