"""What a restore that was interrupted has left: partial data that nobody may take for whole, and how to complete it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.host.shown import shown
from exporter.host.state import RESTORING

if TYPE_CHECKING:
    from exporter.host.site import Site

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_PATH_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Left:
    """What is not put back. `backup`: an id, or the path of a folder as a shell reads it. `command` completes it."""

    backup: str
    names: tuple[str, ...]
    command: str
    sentence: str


def read_left(site: Site) -> Left | None:
    """Return what a restore has left; None where nothing is left. Whether it still runs is not asked."""
    fields = site.state.fields(RESTORING)
    names = tuple(name for name in fields.get("names", "").split() if _NAME.fullmatch(name))
    if not names:
        return None
    backup = shown(fields.get("backup", ""), _PATH_CHARACTERS)
    command = f"exporter restore -e {site.environment} {backup} {' '.join(names)}"
    sentence = (
        f"the restore from the backup {backup}, begun by {shown(fields.get('user', ''))} at "
        f"{shown(fields.get('since', ''))}, has not put back: {' '.join(names)}. Services that write are stopped. "
        f"Run: {command} (or remove {site.state_folder / RESTORING} to keep what is there now)"
    )
    return Left(backup, names, command, sentence)
