"""Databases, caches, volumes and their backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.limits import red_over
from exporter.outputs.dashboards.model import (
    GREEN,
    ORANGE,
    RED,
    UP_OR_DOWN,
    Board,
    Panel,
    Query,
    Section,
    Step,
    Variable,
)
from exporter.outputs.dashboards.phrases import OF_SERIES, service_link
from exporter.outputs.dashboards.text import title_of
from exporter.outputs.dashboards.uids import STORES

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

CHOSEN = 'service=~"$service"'
NO_STORES = "Nothing of the chosen stores: databases and caches are named in stores"
NO_READINGS = "No reading of a store: its port is probed, its contents are not read yet"
NO_BACKUPS = "No backup recorded: set backup on a store or volume"
NO_VOLUMES = "No volume seen: needs exporter.containers and a volume"
DAY = 86400
UP_STEPS = (Step(RED), Step(GREEN, 1))


def stores(catalog: Catalog) -> Board:
    return Board(
        STORES,
        f"{title_of(catalog)} Stores",
        "Databases and caches: state, connections, replication, size, backups, and the volumes below them.",
        (
            Section("State", _state(catalog)),
            Section("Use", _use(catalog)),
            Section("Backups", _backups()),
            Section("Volumes", _volumes(catalog)),
        ),
        (Variable("service", "Store", values=tuple(catalog.stores), many=True),),
        CHOSEN,
    )


def _state(catalog: Catalog) -> tuple[Panel, ...]:
    state = f"min by (service) (probe_success{{{CHOSEN}}})"
    link = service_link(catalog, OF_SERIES)
    return (
        Panel(
            "State",
            "stat",
            (Query(state, "{{service}}", instant=True),),
            "short",
            "Up when every probe of the store succeeds. A store's port is probed, and what its probes add; a file of "
            "SQLite has no port.",
            NO_STORES,
            steps=UP_STEPS,
            mapping=UP_OR_DOWN,
            links=(link,),
        ),
        Panel(
            "State over time",
            "states",
            (Query(state, "{{service}}"),),
            "short",
            "When each store was up. A gap is a time in which it was not probed.",
            NO_STORES,
            steps=UP_STEPS,
            mapping=UP_OR_DOWN,
            links=(link,),
        ),
        Panel(
            "Probe duration",
            "lines",
            (Query(f"max by (service) (probe_duration_seconds{{{CHOSEN}}})", "{{service}}"),),
            "s",
            "The slowest probe of each store. The line is the limit of ServiceSlow in defaults.alerts.",
            NO_STORES,
            steps=red_over(catalog, "ServiceSlow"),
            minimum=0,
            links=(link,),
        ),
    )


def _use(catalog: Catalog) -> tuple[Panel, ...]:
    connections = f"store_connections{{{CHOSEN}}}"
    return (
        Panel(
            "Connections in use",
            "lines",
            (
                Query(
                    f"max by (service) ({connections} / (store_connections_max{{{CHOSEN}}} > 0))",
                    "{{service}}",
                ),
            ),
            "percentunit",
            "Connections as a share of those that the store allows. The line is the limit of StoreConnectionsHigh in "
            "defaults.alerts; a store's own max_connections counts for its alert.",
            NO_READINGS,
            steps=red_over(catalog, "StoreConnectionsHigh"),
            minimum=0,
        ),
        Panel(
            "Replication lag",
            "lines",
            (Query(f"max by (service) (store_replication_lag_seconds{{{CHOSEN}}})", "{{service}}"),),
            "s",
            "How far behind the slowest replica is. Set by replicas of a store; the line is the limit of "
            "StoreReplicationLag in defaults.alerts.",
            "No replica: set replicas on a store",
            steps=red_over(catalog, "StoreReplicationLag"),
            minimum=0,
        ),
        Panel(
            "Replicas",
            "lines",
            (
                Query(f"max by (service) (store_replicas{{{CHOSEN}}})", "{{service}}"),
                Query(
                    f"sum by (service) (store_replication_connected{{{CHOSEN}}} == bool 0)",
                    "{{service}}, cut off",
                ),
            ),
            "short",
            "Replicas that are connected to each primary, and probed replicas that receive nothing: their reads are "
            "old.",
            "No replica: set replicas on a store",
            minimum=0,
        ),
        Panel(
            "Writes",
            "states",
            (Query(f"min by (service) (store_accepts_writes{{{CHOSEN}}})", "{{service}}"),),
            "short",
            "Whether each primary takes writes. At its memory limit, read-only or in a broken cluster, a store answers "
            "and refuses them; store_writes_refused_info has the cause.",
            NO_READINGS,
            steps=UP_STEPS,
            mapping=(("0", "refused", RED), ("1", "taken", GREEN)),
        ),
        Panel(
            "Memory in use",
            "lines",
            (
                Query(
                    f"max by (service) (store_memory_used_bytes{{{CHOSEN}}} "
                    f"/ (store_memory_max_bytes{{{CHOSEN}}} > 0))",
                    "{{service}}",
                ),
            ),
            "percentunit",
            "Memory of Redis as a share of maxmemory. The line is the limit of StoreMemoryHigh in defaults.alerts, "
            "which fires where nothing is evicted.",
            "No limit: Redis has no maxmemory",
            steps=red_over(catalog, "StoreMemoryHigh"),
            minimum=0,
        ),
        Panel(
            "Size",
            "lines",
            (Query(f"max by (service) (store_size_bytes{{{CHOSEN}}})", "{{service}}"),),
            "bytes",
            "What each store holds.",
            NO_READINGS,
            minimum=0,
        ),
    )


def _backups() -> tuple[Panel, ...]:
    return (
        Panel(
            "Age of the last good backup",
            "bars",
            (
                Query(
                    "sort_desc(time() - max by (service) (backup_last_success_timestamp_seconds))",
                    "{{service}}",
                    instant=True,
                ),
            ),
            "dtdurations",
            "How much would be lost. Orange after one day and red after two; BackupStale knows the schedule of each.",
            NO_BACKUPS,
            steps=(Step(GREEN), Step(ORANGE, DAY), Step(RED, 2 * DAY)),
            minimum=0,
        ),
        Panel(
            "Last run",
            "stat",
            (Query("min by (service) (backup_last_run_success)", "{{service}}", instant=True),),
            "short",
            "Whether the last backup of each store and volume succeeded.",
            NO_BACKUPS,
            steps=UP_STEPS,
            mapping=(("0", "failed", RED), ("1", "good", GREEN)),
        ),
        Panel(
            "Size of backups",
            "lines",
            (Query("max by (service) (backup_size_bytes)", "{{service}}"),),
            "bytes",
            "A backup that shrinks suddenly deserves a look.",
            NO_BACKUPS,
            minimum=0,
        ),
    )


def _volumes(catalog: Catalog) -> tuple[Panel, ...]:
    available = "volume_filesystem_avail_bytes"
    return (
        Panel(
            "Fullness",
            "lines",
            (
                Query(
                    f"1 - min by (volume) ({available} / (volume_filesystem_size_bytes > 0))",
                    "{{volume}}",
                ),
            ),
            "percentunit",
            "How full the file system of each volume is. The line is the limit of DiskFilling in defaults.alerts.",
            NO_VOLUMES,
            12,
            steps=red_over(catalog, "DiskFilling"),
            minimum=0,
            maximum=1,
        ),
        Panel(
            "Space left",
            "lines",
            (Query(f"min by (volume) ({available})", "{{volume}}"),),
            "bytes",
            "What can still be written to the file system of each volume.",
            NO_VOLUMES,
            12,
            minimum=0,
        ),
    )
