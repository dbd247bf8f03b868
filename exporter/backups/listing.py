"""The list of an environment's backups: id, age, size, rows, drill, and where each is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.backups.authentic import read_manifest
from exporter.backups.checks import whole_backups
from exporter.backups.s3 import Bucket
from exporter.backups.steps import amount
from exporter.backups.subjects import BackupsError, subjects
from exporter.catalog.planning.places import MARKERS
from exporter.files import read_regular
from exporter.host.shown import shown
from exporter.storage.backup_marker import MAX_BYTES, MarkerError, parse_marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from exporter.backups.authentic import Trust
    from exporter.catalog.catalog import Catalog
    from exporter.storage.backup_marker import Outcome

_ID_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Row:
    """One backup. Unknown values are None, for a backup that is only in the bucket or not authentic.

    `drill`: subjects whose last drill used this backup; True if it restored. `bucket`: None without a bucket, or if it
    did not answer. `problem`: why its manifest is rejected.
    """

    id: str
    age_seconds: float
    names: tuple[str, ...] | None
    size_bytes: int | None
    rows: int | None
    drill: dict[str, bool]
    here: bool
    bucket: bool | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The backups, newest first. `silent`: why the bucket could not be listed; empty if it could."""

    rows: tuple[Row, ...]
    silent: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the list for programs."""
        return {"backups": [asdict(row) for row in self.rows], "bucket_error": self.silent or None}

    def table(self) -> Iterator[str]:
        """Yield the lines of a table for people."""
        head = ("BACKUP", "AGE", "SIZE", "ROWS", "DRILL", "BUCKET", "HOLDS")
        table = [head, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(head))]
        for line in table:
            yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def list_backups(catalog: Catalog, folder: Path, trust: Trust, now: float) -> Listing:
    """Return the complete backups, on this host and in the bucket. Raises OSError."""
    there, silent = _in_bucket(catalog)
    drills = tuple(_drills(folder / MARKERS, subjects(catalog)))
    here = {path.name: path for path in whole_backups(folder)}
    rows = []
    for id_ in sorted({*here, *(there or ())}, reverse=True):
        manifest, problem = None, ""
        if id_ in here:
            try:
                manifest = read_manifest(here[id_], trust)
            except BackupsError as error:
                problem = str(error)
        counted = [saved.rows for saved in manifest.subjects] if manifest else []
        known = [rows for rows in counted if rows is not None]
        rows.append(
            Row(
                id=id_,
                age_seconds=round(now - _moment(id_), 1),
                names=tuple(saved.name for saved in manifest.subjects) if manifest else None,
                size_bytes=manifest.bytes if manifest else None,
                rows=sum(known) if known else None,
                drill={name: drill.success for name, drill in drills if drill.backup == id_},
                here=id_ in here,
                bucket=None if there is None else id_ in there,
                problem=problem,
            )
        )
    return Listing(tuple(rows), silent)


def _in_bucket(catalog: Catalog) -> tuple[set[str] | None, str]:
    if catalog.backup.s3 is None:
        return None, ""
    try:
        return set(Bucket(catalog).backups()), ""
    except BackupsError as error:
        return None, str(error)


def _drills(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Outcome]]:
    for name in names:
        try:
            marker = parse_marker(read_regular(folder / f"{name}.json", MAX_BYTES), name)
        except (OSError, MarkerError):
            continue  # `status` reports it
        if marker.last_drill:
            yield name, marker.last_drill


def _moment(id_: str) -> float:
    try:
        return datetime.strptime(id_, _ID_TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _cells(row: Row) -> tuple[str, ...]:
    failed = [name for name, good in row.drill.items() if not good]
    drill = f"failed: {' '.join(failed)}" if failed else "passed" if row.drill else "-"
    bucket = {None: "-", True: "yes", False: "no"}[row.bucket]
    holds = " ".join(row.names) if row.names is not None else shown(row.problem, 300) or "only in the bucket"
    return (
        row.id,
        age(row.age_seconds),
        "-" if row.size_bytes is None else amount(row.size_bytes),
        "-" if row.rows is None else f"{row.rows:,}",
        drill,
        bucket,
        holds,
    )


def age(seconds: float) -> str:
    """Return an age for people, such as 3d 4h."""
    minutes = max(0, int(seconds // 60))
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    return f"{hours}h {minutes % 60}m" if hours else f"{minutes}m"
