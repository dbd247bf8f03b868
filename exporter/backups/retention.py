"""Retention of backups. The newest good backups of each name are kept, and always the last good one."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.backups.authentic import Trust, read_manifest
from exporter.backups.checks import findings, whole_backups
from exporter.backups.manifest import PARTIAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEAD_SECONDS = 24 * 3600
"""An unfinished backup without a write for this long was left by a run that died."""
REMOVED = ".removed"


@dataclass(slots=True)
class Pruned:
    """The result. `removed`: removed folders. `findings`: sentences on backups that are not good."""

    removed: list[Path] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def prune(folder: Path, keep: Mapping[str, int], trust: Trust, *, now: float | None = None) -> Pruned:
    """Remove backups beyond `keep`, which says how many to keep of each name; all, for a name that it lacks.

    A backup is removed when no name needs it any more. A backup that is not good does not count: it never displaces a
    good one, and is removed when enough good ones are newer. The checksums of one good backup per name are verified
    first, so that on a failing disk the last intact backup is not removed. Raises OSError.
    """
    result = Pruned()
    needed: set[Path] = set()
    names: dict[Path, set[str]] = {}
    for backup in whole_backups(folder):
        wrong = findings(backup, trust, sums=False)
        result.findings += wrong
        names[backup] = set() if wrong else {saved.name for saved in read_manifest(backup, trust).subjects}
    read: dict[Path, bool] = {}
    for name in {name for held in names.values() for name in held}:
        good = [backup for backup, held in names.items() if name in held]
        first = next((backup for backup in good if _whole(backup, trust, read, result)), None)
        if first is None:
            needed.update(good)  # none is known to be intact, so keep them all
            continue
        good = good[good.index(first) :]
        needed.update(good[: keep.get(name, len(good))])
    oldest = min(needed, default=None)
    for backup, held in names.items():
        # A broken manifest: removed when every needed backup is newer. A wrong checksum: left for a person to examine.
        superfluous = read.get(backup, True) if held else oldest is not None and backup < oldest
        if backup not in needed and superfluous:
            _remove(backup)
            result.removed.append(backup)
    result.removed += _dead(folder, time.time() if now is None else now)
    return result


def _whole(backup: Path, trust: Trust, read: dict[Path, bool], result: Pruned) -> bool:
    if backup not in read:
        wrong = findings(backup, trust)
        result.findings += wrong
        read[backup] = not wrong
    return read[backup]


def _dead(folder: Path, now: float) -> list[Path]:
    dead = []
    for path in sorted(folder.iterdir()):
        died = path.name.endswith(REMOVED) or (
            path.name.endswith(PARTIAL) and now - _last_change(path) > DEAD_SECONDS
        )
        if died and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            dead.append(path)
    return dead


def _last_change(folder: Path) -> float:
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))


def _remove(backup: Path) -> None:
    """Remove a backup. It is renamed first, so that a partly removed one is never taken for a backup."""
    going = backup.with_name(backup.name + REMOVED)
    backup.rename(going)
    shutil.rmtree(going)
