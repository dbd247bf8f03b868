"""Lines of the page for stores, backups and volumes: one each, with warnings highlighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.daemon.page_words import counted, seconds, size, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.daemon.snapshot import BackupState, VolumeState

NEARLY_ALL = 0.9
"""Used connections and space from this share on are highlighted."""
FULL = 0.97
LONG_SECONDS = 10
"""From this lag on, fractions of seconds are not shown."""
BAR_WIDTH = 100


class Note(NamedTuple):
    """A normal line, a warning, or both."""

    text: str
    warning: str


class VolumeRow(NamedTuple):
    """The row of a volume. `width`: of the bar; None if the exporter cannot see the volume."""

    name: str
    path: str
    tone: str
    word: str
    space: str
    width: float | None
    backup: Note | None


REFUSED = {
    "memory": "It refuses writes: its memory limit is reached",
    "cluster": "It refuses writes: its cluster is down",
    "replicas": "It refuses writes: too few replicas are connected",
    "read_only": "It refuses writes: it is read-only",
}


def store_note(facts: Mapping[str, float | str], now: float) -> Note | None:
    """Return what a probe of a store found besides that it answers; None for other probes."""
    said: list[str] = []
    warnings: list[str] = []
    if version := facts.get("store_version"):
        said.append(f"version {version}")
    if role := facts.get("store_role"):
        said.append(str(role))
    said += _replication(facts)
    if _number(facts, "store_replication_connected") == 0:
        warnings.append("It is not connected to its primary")
    if cause := facts.get("store_writes_refused"):
        warnings.append(REFUSED.get(str(cause), "It refuses writes"))
    used, most = _number(facts, "store_connections"), _number(facts, "store_connections_max")
    if used is not None:
        words = f"{used:,.0f} of {most:,.0f} connections" if most else counted(int(used), "connection")
        (warnings if most and used >= NEARLY_ALL * most else said).append(words)
    if (data := _number(facts, "store_size")) is not None:
        said.append(size(data))
    if wal := _number(facts, "store_wal_size"):
        said.append(f"write-ahead log {size(wal)}")
    sound, checked = _number(facts, "store_integrity_ok"), _number(facts, "store_integrity_checked_at")
    if sound is not None:
        ago = f", {span(now - checked)} ago" if checked is not None else ""
        if sound:
            said.append(f"integrity checked{ago}")
        else:
            warnings.append(f"The integrity check found damage{ago}")
    return Note(" · ".join(said), "; ".join(warnings)) if said or warnings else None


def backup_note(backup: BackupState | None, now: float) -> Note | None:
    """Return the result of the last backup and the age of the last good one; None without a configured backup."""
    if backup is None:
        return None
    good = ""
    if backup["last_success"] is not None:
        amount = f", {size(backup['size_bytes'])}" if backup["size_bytes"] is not None else ""
        drill = ", restore drill passed" if backup["drill_success"] else ""
        good = f"Last good backup {span(now - backup['last_success'])} ago{amount}{drill}"
    if backup["state"] == "ok":
        return Note(good, "")
    if backup["state"] == "unknown":
        return Note("Backup not checked yet", "")
    return Note(good, f"Backup: {backup['detail']}")


def volume_rows(volumes: Iterable[VolumeState], now: float) -> list[VolumeRow]:
    """Return the rows of all volumes: the fullest first, those that the exporter cannot see last."""
    shares = [(_share(volume), volume) for volume in volumes]
    shares.sort(key=lambda pair: -1.0 if pair[0] is None else pair[0], reverse=True)
    return [_volume(volume, share, now) for share, volume in shares]


def _volume(volume: VolumeState, share: float | None, now: float) -> VolumeRow:
    tone, word = "up", "ok"
    if share is None:
        tone, word = "unwatched", "not visible"
    elif share >= NEARLY_ALL:
        tone, word = ("down", "full") if share >= FULL else ("unknown", "nearly full")
    return VolumeRow(
        name=volume["name"],
        path=volume["path"],
        tone=tone,
        word=word,
        space=_space(volume),
        width=round(share * BAR_WIDTH, 1) if share is not None else None,
        backup=backup_note(volume["backup"], now),
    )


def _share(volume: VolumeState) -> float | None:
    """Return the used share of space or files, whichever is larger."""
    shares = [
        1 - left / whole
        for left, whole in (
            (volume["available_bytes"], volume["size_bytes"]),
            (volume["files_free"], volume["files"]),
        )
        if left is not None and whole
    ]
    return max(shares, default=None)


def _space(volume: VolumeState) -> str:
    left, whole = volume["available_bytes"], volume["size_bytes"]
    if left is None or not whole:
        return "The exporter cannot see its folder"
    words = f"{size(left)} of {size(whole)} free"
    files, free = volume["files"], volume["files_free"]
    if files and free is not None and 1 - free / files >= NEARLY_ALL:
        words += f", {free:,} more files"
    return words


def _replication(facts: Mapping[str, float | str]) -> list[str]:
    replicas, lag = _number(facts, "store_replicas"), _number(facts, "store_replication_lag")
    behind = f"{span(lag) if lag >= LONG_SECONDS else seconds(lag)} behind" if lag is not None else ""
    if replicas:
        return [counted(int(replicas), "replica") + (f", the furthest {behind}" if behind else "")]
    return [f"{behind} its primary"] if behind else []


def _number(facts: Mapping[str, float | str], key: str) -> float | None:
    value = facts.get(key)
    return None if isinstance(value, str) else value
