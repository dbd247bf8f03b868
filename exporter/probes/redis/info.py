"""Facts from the INFO of Redis and Valkey."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.probes.stores import values as store_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.probes.measure import Run

Facts = dict[str, float | str]

PAIR = re.compile(r"^(\w+):([^\r\n]*)", re.MULTILINE)
NUMBER = re.compile(r"[0-9]{1,19}")
ERRORS = re.compile(r"count=([0-9]{1,19})")
EXPIRING = re.compile(r"(?:^|,)expires=([0-9]{1,19})(?:,|$)")
ROLES = {"master": "primary", "slave": "replica"}
POLICIES = (
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-lrm", "allkeys-random",
    "volatile-lru", "volatile-lfu", "volatile-lrm", "volatile-random", "volatile-ttl",
)  # fmt: skip
"""Values of `maxmemory-policy`."""
OTHER_CONNECTIONS = ("connected_slaves", "cluster_connections")
"""Connections that count for `maxclients` but are not in `connected_clients`."""

MAX_CLIENTS, MIN_REPLICAS = "maxclients", "min-replicas-to-write"
"""Settings that INFO does not show, by their names for CONFIG GET."""


class Info:
    """The lines of an answer to INFO or CLUSTER INFO."""

    __slots__ = ("has_errors", "values")

    def __init__(self, text: bytes) -> None:
        self.has_errors = b"\n# Errorstats\r" in text
        """True if errors are counted (from 6.2 on): each kind of error that occurred has a line."""
        self.values: Mapping[str, str] = dict(PAIR.findall(text.decode("utf-8", "replace")))

    def __getitem__(self, key: str) -> str:
        return self.values.get(key, "")

    def number(self, key: str) -> int | None:
        """Return a count or a number of seconds; None if there is none (-1 in Redis)."""
        return _number(self[key])

    @property
    def role(self) -> str | None:
        return ROLES.get(self["role"])

    @property
    def is_cluster(self) -> bool:
        return self["cluster_enabled"] == "1"

    def wanted_settings(self) -> Iterator[str]:
        """Yield the names of the settings that are needed to interpret this answer."""
        if self.number("maxclients") is None:
            yield MAX_CLIENTS
        if self.role == "primary" and self.number("min_slaves_good_slaves") is not None:
            yield MIN_REPLICAS


def note_info(info: Info, settings: Mapping[str, str], cluster: Info, run: Run) -> None:
    """Note the facts in INFO; a line that is missing or malformed is omitted.

    `store_size` is the memory of keys and values (`used_memory_dataset`), without buffers and tables of the server.
    """
    facts = run.facts
    version = info["valkey_version"] or info["redis_version"]
    if version:
        facts["store_product"] = "valkey" if info["valkey_version"] else "redis"
    _note(facts, "store_uptime", info.number("uptime_in_seconds"))
    _note(facts, "store_version", store_values.version(version.encode(), run.secrets))
    _note(facts, "store_role", info.role)
    clients = info.number("connected_clients")
    others = sum(info.number(key) or 0 for key in OTHER_CONNECTIONS)
    _note(facts, "store_connections", clients and clients + others)
    _note(facts, "store_connections_max", _either(info.number("maxclients"), settings.get(MAX_CLIENTS)))
    _note(facts, "store_size", info.number("used_memory_dataset"))
    _note_memory(info, facts)
    _note(facts, "store_cluster_ok", {"ok": 1, "fail": 0}.get(cluster["cluster_state"]))
    _note_replication(info, facts)
    _note_writes(info, settings, facts)


def _note_memory(info: Info, facts: Facts) -> None:
    """Note the memory that Redis compares with `maxmemory`, and its policy; without a limit there is no maximum."""
    used = info.number("used_memory")
    if used is not None:
        facts["store_memory_used"] = max(0, used - (info.number("mem_not_counted_for_evict") or 0))
    _note(facts, "store_memory_max", info.number("maxmemory") or None)
    if info.has_errors:
        refused = ERRORS.fullmatch(info["errorstat_OOM"])
        facts["store_out_of_memory_errors"] = int(refused[1]) if refused else 0
    if info["maxmemory_policy"] in POLICIES:
        facts["store_memory_policy"] = info["maxmemory_policy"]


def _note_replication(info: Info, facts: Facts) -> None:
    """Note the state of replication.

    `store_replication_lag` is not a position in time, since Redis has none. On a primary it is the time since the
    slowest replica last acknowledged (a replica does so every second). On a replica it is the time since the primary
    last sent something (an idle one does so every 10 s), or for which the link has been down.
    """
    if info.role == "primary":
        _note(facts, "store_replicas", info.number("connected_slaves"))
        _note(facts, "store_replication_lag", max(_acknowledged(info), default=None))
    elif info.role == "replica":
        connected = {"up": 1, "down": 0}.get(info["master_link_status"])
        _note(facts, "store_replication_connected", connected)
        silent = "master_last_io_seconds_ago" if connected else "master_link_down_since_seconds"
        _note(facts, "store_replication_lag", info.number(silent))


def _note_writes(info: Info, settings: Mapping[str, str], facts: Facts) -> None:
    """Note whether a primary accepts writes now, and the first cause if not. PING reports a failing disk.

    If a value that this depends on is missing, nothing is noted.
    """
    primary = info.role == "primary"
    good, wanted = info.number("min_slaves_good_slaves"), _number(settings.get(MIN_REPLICAS, ""))
    causes = {
        "cluster": facts.get("store_cluster_ok") == 0,
        "memory": primary and _is_full(info, facts),
        "replicas": primary and good is not None and wanted is not None and good < wanted,
    }
    cause = next((name for name, holds in causes.items() if holds), None)
    known = (
        primary
        and None not in (info.number("used_memory"), info.number("maxmemory"))
        and (not info.is_cluster or "store_cluster_ok" in facts)
        and (good is None or wanted is not None)
    )
    if cause is not None or known:
        facts["store_accepts_writes"] = 0 if cause else 1
    _note(facts, "store_writes_refused", cause)


def _is_full(info: Info, facts: Facts) -> bool:
    """True if memory is over its limit and the policy leaves nothing to evict."""
    used, limit = facts.get("store_memory_used"), facts.get("store_memory_max")
    if used is None or limit is None or float(used) <= float(limit):
        return False
    policy = str(facts.get("store_memory_policy", ""))
    return policy == "noeviction" or (policy.startswith("volatile-") and not any(_expiring(info)))


def _expiring(info: Info) -> Iterator[int]:
    """Yield the number of keys with an expiry in each database."""
    for key, value in info.values.items():
        found = EXPIRING.search(value) if key.startswith("db") and key[2:].isdecimal() else None
        if found:
            yield int(found[1])


def _acknowledged(info: Info) -> Iterator[int]:
    """Yield the seconds since the last acknowledgement of each online replica; others have no value yet."""
    for key, value in info.values.items():
        if key.startswith("slave") and key[5:].isdecimal():
            replica = dict(part.partition("=")[::2] for part in value.split(","))
            lag = _number(replica.get("lag", ""))
            if replica.get("state") == "online" and lag is not None:
                yield lag


def _number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None


def _either(told: int | None, setting: str | None) -> int | None:
    return told if told is not None else _number(setting or "")


def _note(facts: Facts, key: str, value: float | str | None) -> None:
    if value is not None:
        facts[key] = value
