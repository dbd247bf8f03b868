"""The result of a backup run, for markers, people and `--json`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.backups.steps import amount

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.backups.engines.shape import Counts
    from exporter.backups.subjects import Subject

_UNITS = {
    "postgresql": ("rows", "tables"),
    "mongodb": ("documents", "collections"),
    "sqlite": ("rows", "tables"),
}


@dataclass(slots=True)
class Outcome:
    """The result of a run. `id` is empty if nothing could be saved; `failed` has a sentence for each name."""

    id: str = ""
    folder: Path | None = None
    saved: dict[str, Counts] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    markers_written: bool = True

    @property
    def verdict(self) -> str | None:
        """Return the error of a failed run, or None if everything was saved."""
        if self.failed:
            rest = f"; everything else is in {self.folder}" if self.folder else ""
            return f"not saved: {' '.join(self.failed)}{rest}"
        return (
            None
            if self.markers_written
            else f"the backup {self.folder} is good, but its markers could not be written"
        )


def sentence_of(error: BaseException) -> str:
    """Return an error as one sentence."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return str(error)


def rows_of(subject: Subject, counts: Counts) -> int:
    """Return how much was saved as one number: keys, files, or rows of all tables."""
    if subject.engine in _UNITS:
        return sum(counts.values())
    return counts.get("keys", counts.get("files", 0))


def summary(subject: Subject, counts: Counts) -> str:
    """Return how much was saved, for people."""
    if subject.engine in _UNITS:
        many, groups = _UNITS[subject.engine]
        return f"{sum(counts.values()):,} {many} in {len(counts):,} {groups}"
    shown = [amount(number) if what == "bytes" else f"{number:,} {what}" for what, number in counts.items()]
    return ", ".join(shown)
