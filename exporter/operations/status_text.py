"""`exporter status` as text and as JSON, with the same facts."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exporter.host.shown import shown

if TYPE_CHECKING:
    from exporter.operations.status import Status

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
WIDE = 400
"""Columns if the output is not a terminal, so that no cell is cut."""
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")
NEVER = "never"


def print_text(status: Status, now: datetime, console: Console | None = None) -> None:
    """Print tables for people; problems and the next command come last, where they are seen first."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE

    def out(line: str, style: str | None = None) -> None:
        console.print(line, markup=False, style=style, soft_wrap=True)

    out(f"{status.project} in {status.environment}, tag {shown(status.tag or 'unknown')}\n")
    services = _table("service", "wanted", "running", "release", "health", "since")
    for row in status.services:
        since = _ago(row.since, now) if row.since else "-"
        cells = (shown(row.name), str(row.wanted), str(row.running), row.release or "-", row.health, since)
        services.add_row(*map(escape, cells), style="red" if row.problem else None)
    console.print(services)
    if status.stores:
        console.print()
        stores = _table("backup of", "last", "size", "last drill")
        for store in status.stores:
            saved, drilled = (_ago(_moment(at), now) if at else NEVER for at in (store.saved, store.drilled))
            size = _size(store.size) if store.size is not None else "-"
            stores.add_row(store.name, saved, size, drilled, style="red" if store.problem else None)
        console.print(stores)
    if status.deploys:
        console.print()
        deploys = _table("last deploys", "result", "tag", "services", "by")
        for record in status.deploys:
            when = _moment(record.finished).strftime("%Y-%m-%d %H:%M:%SZ")
            what = " ".join(record.services) or "all"
            told = (when, record.result, record.version or "-", what, record.who)
            deploys.add_row(*(escape(shown(cell)) for cell in told))
        console.print(deploys)
    console.print()
    for note in status.notes:
        out(f"note: {note}")
    for problem in status.problems:
        out(f"problem: {problem}", "red")
    out(f"next: {status.next_command}" if status.next_command else "everything matches the catalog")


def as_json(status: Status) -> str:
    """Return the facts for programs; times are ISO 8601 in UTC, or seconds since 1970 in records."""
    found = {
        "project": status.project,
        "environment": status.environment,
        "tag": status.tag,
        "good": status.good,
        "services": [{**asdict(row), "since": _iso(row.since)} for row in status.services],
        "stores": [
            {**asdict(row), "saved": _iso(row.saved), "drilled": _iso(row.drilled)} for row in status.stores
        ],
        "containers": [
            {
                "name": each.name,
                "service": each.service,
                "state": each.state,
                "health": each.health or None,
                "image": each.image_name,
                "image_id": each.image_id,
                "started": _iso(each.started),
            }
            for each in status.containers
        ],
        "deploys": [asdict(record) for record in status.deploys],
        "lock": status.lock,
        "step": status.step,
        "restore": _restore(status),
        "problems": status.problems,
        "notes": status.notes,
        "next": status.next_command or None,
    }
    return json.dumps(found, indent=2)


def _restore(status: Status) -> dict[str, object] | None:
    if status.restore is None:
        return None
    values = {key: status.restore.get(key, "") for key in ("backup", "names", "user", "since")}
    return {"cut_off": status.lock is None, **values}


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _iso(at: datetime | float | None) -> str | None:
    if at is None:
        return None
    moment = at if isinstance(at, datetime) else _moment(at)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _ago(at: datetime, now: datetime) -> str:
    """Return `3 h ago`; for a time in the future, which means a wrong clock, the time itself."""
    seconds = int((now - at).total_seconds())
    if seconds < 0:
        return f"{_iso(at)} (in the future)"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "now"


def _size(size: int) -> str:
    value = float(size)
    for unit in _SIZES:
        if value < 1024 or unit == _SIZES[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""
