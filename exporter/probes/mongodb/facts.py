"""Facts from the answers of MongoDB. Values that are missing or not numbers are omitted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bson.datetime_ms import DatetimeMS

from exporter.probes.stores import values as store_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.peer_text import Secrets
    from exporter.probes.mongodb.wire import Document

Facts = dict[str, float | str]

PRIMARY, SECONDARY, RECOVERING, STARTING, ROLLING_BACK, REMOVED = 1, 2, 3, 5, 9, 10
REPLICAS = {SECONDARY, RECOVERING, STARTING, ROLLING_BACK}
"""States of members that hold data and follow a primary, or are about to."""
FOLLOWING = {SECONDARY, STARTING}
"""States in which a member follows one now; one that recovers answers no reads, a removed one follows nobody."""


def note_hello(hello: Document, facts: Facts) -> None:
    """Note `store_role` and, for a primary, `store_accepts_writes`.

    An arbiter, a router (mongos) and a starting member have neither role.
    """
    if hello.get("msg") == "isdbgrid":
        return
    if hello.get("isWritablePrimary") is True:
        facts["store_role"] = "primary"
        facts["store_accepts_writes"] = 1
        if hello.get("readOnly") is True:
            facts["store_accepts_writes"] = 0
            facts["store_writes_refused"] = "read_only"
    elif hello.get("secondary") is True:
        facts["store_role"] = "replica"


def note_version(build: Document, facts: Facts, secrets: Secrets) -> None:
    """Note `store_version`."""
    text = build.get("version")
    version = store_values.version(text.encode(), secrets) if isinstance(text, str) else None
    if version is not None:
        facts["store_version"] = version


def note_connections(status: Document, facts: Facts) -> None:
    """Note `store_connections` and `store_connections_max`."""
    connections = status.get("connections")
    if not isinstance(connections, dict):
        return
    current, available = _number(connections, "current"), _number(connections, "available")
    if current is not None:
        facts["store_connections"] = current
        if available is not None:
            facts["store_connections_max"] = current + available


def note_members(status: Document, facts: Facts) -> None:
    """Note `store_replication_lag`; for a primary `store_replicas`, for others `store_replication_connected`.

    The lag is the time between the last operations that the primary and the member have applied. Members exchange
    their state every two seconds, so the lag can be that old.
    """
    members = status.get("members")
    known = [m for m in members if isinstance(m, dict)] if isinstance(members, list) else []
    primary = next((m for m in known if m.get("state") == PRIMARY), None)
    own = next((m for m in known if m.get("self") is True), None)
    connected = _connected(status, own, primary)
    if connected is not None:
        facts["store_replication_connected"] = connected
    if primary is None or own is None:
        return
    followers = [own]
    if own is primary:
        followers = [m for m in known if m.get("state") in REPLICAS and m.get("health") == 1]
        facts["store_replicas"] = len(followers)
    newest = _applied(primary)
    applied = [at for at in map(_applied, followers) if at is not None]
    if newest is not None and applied:
        facts["store_replication_lag"] = max(0.0, newest - min(applied))


def note_size(databases: Document, facts: Facts) -> None:
    """Note `store_size`, the size of the databases that the user may see."""
    size = _number(databases, "totalSize")
    if size is not None:
        facts["store_size"] = size


def _connected(
    status: Document, own: Mapping[str, Any] | None, primary: Mapping[str, Any] | None
) -> float | None:
    """Return 1 if this member follows another, 0 if not; None if its kind follows nobody or the state is unknown."""
    state = status.get("myState", own and own.get("state"))
    if not isinstance(state, int) or state not in (REPLICAS | {REMOVED}):
        return None
    source = status.get("syncSourceHost")
    follows = bool(source) if isinstance(source, str) else primary is not None
    return 1 if state in FOLLOWING and follows else 0


def _applied(member: Mapping[str, Any]) -> float | None:
    """Return when a member applied its last operation, in seconds since the epoch; the epoch itself means never."""
    at = member.get("optimeDate")
    return int(at) / 1000 if isinstance(at, DatetimeMS) and int(at) > 0 else None


def _number(document: Mapping[str, Any], key: str) -> float | None:
    value = document.get(key)
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    ):
        return float(value)
    return None
