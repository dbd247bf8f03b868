"""The dashboard of databases, caches, volumes and backups."""

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
NO_STORES = "No data of the selected stores: add databases and caches under stores"
NO_READINGS = "No readings: the store's login probe has not succeeded yet"
NO_BACKUPS = "No backup recorded: set backup on a store or volume"
NO_VOLUMES = "No volumes: needs exporter.containers and a volume"
DAY = 86400
UP_STEPS = (Step(RED), Step(GREEN, 1))


def stores(catalog: Catalog) -> Board:
    return Board(
        STORES,
        f"{title_of(catalog)} Stores",
        "Databases and caches: state, connections, replication, size, backups and volumes.",
        (
            Section("State", _state(catalog)),
            Section("Usage", _use(catalog)),
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
            "Up when every probe of the store succeeds: the login to the store, and the probes in the catalog.",
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
            "When each store was up. A gap means that it was not probed.",
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
            "Connections as a share of the store's maximum. The line is the limit of StoreConnectionsHigh in "
            "defaults.alerts; the alert uses a store's own max_connections.",
            NO_READINGS,
            steps=red_over(catalog, "StoreConnectionsHigh"),
            minimum=0,
        ),
        Panel(
            "Replication lag",
            "lines",
            (Query(f"max by (service) (store_replication_lag_seconds{{{CHOSEN}}})", "{{service}}"),),
            "s",
            "How far behind the slowest replica is. Set with replicas of a store. The line is the limit of "
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
                    "{{service}}, disconnected",
                ),
            ),
            "short",
            "Replicas that are connected to each primary, and disconnected ones, which return old data.",
            "No replica: set replicas on a store",
            minimum=0,
        ),
        Panel(
            "Writes",
            "states",
            (Query(f"min by (service) (store_accepts_writes{{{CHOSEN}}})", "{{service}}"),),
            "short",
            "Whether each primary accepts writes. A store refuses them at its memory limit, when read-only, or in a "
            "broken cluster; store_writes_refused_info has the cause.",
            NO_READINGS,
            steps=UP_STEPS,
            mapping=(("0", "refused", RED), ("1", "accepted", GREEN)),
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
            "which fires only if Redis evicts nothing.",
            "No limit: Redis has no maxmemory",
            steps=red_over(catalog, "StoreMemoryHigh"),
            minimum=0,
        ),
        Panel(
            "Size",
            "lines",
            (Query(f"max by (service) (store_size_bytes{{{CHOSEN}}})", "{{service}}"),),
            "bytes",
            "Size of the data in each store.",
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
            "Changes since then would be lost. Orange after one day, red after two; BackupStale uses the schedules.",
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
            "Size of the last good backup. Check a backup that suddenly shrinks.",
            NO_BACKUPS,
            minimum=0,
        ),
    )


def _volumes(catalog: Catalog) -> tuple[Panel, ...]:
    available = "volume_filesystem_avail_bytes"
    return (
        Panel(
            "Usage",
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
            "Free space on the file system of each volume.",
            NO_VOLUMES,
            12,
            minimum=0,
        ),
    )
