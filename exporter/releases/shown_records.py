"""Records of deploys as text: one per line, or one in full. Times include their zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.host.shown import shown
from exporter.releases.records import RESULTS
from exporter.releases.tags import short_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.releases.records import Change, Record
    from exporter.releases.targets import Target


def moment(seconds: float) -> str:
    """Return a time with its zone."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"


def row(record: Record) -> str:
    """Return a record as one line."""
    what = shown(" ".join(record.services) or "all")
    end = f": {shown(record.error, 500)}" if record.error else ""
    return (
        f"{moment(record.finished)}  {shown(record.result):<15}  {shown(record.version) or '-'}  {what}  "
        f"by {shown(record.who)} ({shown(record.id)}){end}"
    )


def in_full(record: Record) -> Iterator[str]:
    """Yield the lines of the full text of a record."""
    yield f"deploy {shown(record.id)} of {shown(record.environment)}: {shown(record.result)}"
    meaning = RESULTS.get(record.result)
    if meaning:
        yield f"  {meaning}"
    if record.reverts:
        yield f"  undid deploy {shown(record.reverts)}"
    seconds = max(0.0, record.finished - record.started)
    yield f"  {moment(record.started)}, {seconds:.0f} s, by {shown(record.who)} on {shown(record.host)}"
    yield f"  tag {shown(record.version) or '-'}, {shown(' '.join(record.services) or 'all services')}"
    for name, change in record.images.items():
        yield f"    {shown(name)} {_change(change)}"
    if record.error:
        yield f"  {shown(record.error, 2000)}"


def target_row(target: Target) -> str:
    """Return a release that a rollback can go to as one line."""
    by = (
        f"deployed {moment(target.since)} ({target.release})"
        if target.since
        else "from before the first deploy"
    )
    count = f"{len(target.undone)} deploy{'s' if len(target.undone) > 1 else ''}"
    return f"{shown(target.tag) or '-':<15}  {shown(target.service) or 'all'}  {shown(by)}; undoes {count}"


def _change(change: Change) -> str:
    before, after = (
        f"{shown(tag) or short_id(image)}"
        for image, tag in ((change.before, change.before_tag), (change.after, change.after_tag))
    )
    if change.before == change.after:
        return f"{after} unchanged"
    if not change.before or not change.after:
        return f"{after} new" if change.after else f"{before} removed"
    return f"{before}→{after}" if before != after else f"{after} (another image)"
