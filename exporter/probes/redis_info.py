"""What Redis and Valkey say in INFO, as facts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIR = re.compile(r"^(\w+):([^\r\n]*)", re.MULTILINE)
NUMBER = re.compile(r"[0-9]{1,19}")
MAX_VERSION = 64
ROLES = {"master": "primary", "slave": "replica"}
OTHER_CONNECTIONS = ("connected_slaves", "cluster_connections")
"""Connections that count for `maxclients` and that `connected_clients` leaves out."""


def note_info(text: str, facts: dict[str, float | str]) -> None:
    """Note what the lines of INFO say; a line that is not there, or says something else, is no fact.

    `store_size` is the memory of keys and values (`used_memory_dataset`), without buffers and tables of the server.

    `store_replication_lag` is what Redis has, which is no position in time: on a primary, how long ago the replica
    that is furthest behind acknowledged (it does every second); on a replica, how long ago the primary last said
    something (it does every 10 s when there is nothing to say), or since when the link is down.
    """
    info = dict(PAIR.findall(text))
    version = info.get("valkey_version") or info.get("redis_version")
    if version:
        facts["store_version"] = version[:MAX_VERSION]
    role = ROLES.get(info.get("role", ""))
    if role is not None:
        facts["store_role"] = role
    clients = _number(info, "connected_clients")
    _note(
        facts,
        "store_connections",
        clients and clients + sum(_number(info, k) or 0 for k in OTHER_CONNECTIONS),
    )
    _note(facts, "store_connections_max", _number(info, "maxclients"))
    _note(facts, "store_size", _number(info, "used_memory_dataset"))
    if role == "primary":
        _note(facts, "store_replicas", _number(info, "connected_slaves"))
        _note(facts, "store_replication_lag", max(_acknowledged(info), default=None))
    elif role == "replica":
        up = info.get("master_link_status") == "up"
        silent = "master_last_io_seconds_ago" if up else "master_link_down_since_seconds"
        _note(facts, "store_replication_lag", _number(info, silent))


def _acknowledged(info: dict[str, str]) -> Iterator[int]:
    """Seconds since each replica that is online acknowledged; the others have no figure yet."""
    for key, value in info.items():
        if key.startswith("slave") and key[5:].isdecimal():
            replica = dict(part.partition("=")[::2] for part in value.split(","))
            lag = _number(replica, "lag")
            if replica.get("state") == "online" and lag is not None:
                yield lag


def _number(values: dict[str, str], key: str) -> int | None:
    """A count or a number of seconds; Redis says -1 where it has none."""
    text = values.get(key, "")
    return int(text) if NUMBER.fullmatch(text) else None


def _note(facts: dict[str, float | str], key: str, value: float | None) -> None:
    if value is not None:
        facts[key] = value
