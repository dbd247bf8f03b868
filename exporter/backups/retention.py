"""Which backups may go. Of each name the newest good ones stay, and the last good one stays in any case."""

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
"""A half-made backup that nobody has written to for so long is of a run that died."""
REMOVED = ".removed"


@dataclass(slots=True)
class Pruned:
    """`removed`: folders that went. `findings`: sentences on backups that are not good."""

    removed: list[Path] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def prune(folder: Path, keep: Mapping[str, int], trust: Trust, *, now: float | None = None) -> Pruned:
    """Remove what is beyond `keep`, by name; names that it does not hold keep all of theirs.

    A backup goes when none of its names needs it. One that is not good counts for none: it does not push out a good
    one, and goes once enough good ones are newer. Of each name one good backup has its checksums read first, so that a
    disk that garbles files does not take the last one that is whole. Raises OSError.
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
            needed.update(good)  # none is known to be good, so none is known to be superfluous
            continue
        good = good[good.index(first) :]
        needed.update(good[: keep.get(name, len(good))])
    oldest = min(needed, default=None)
    for backup, held in names.items():
        # One with a broken manifest goes when every needed one is newer; one with a wrong checksum is for a person.
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
    """It loses its name first, so that one that is removed in part is never taken for a backup."""
    going = backup.with_name(backup.name + REMOVED)
    backup.rename(going)
    shutil.rmtree(going)
