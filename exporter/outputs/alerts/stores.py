"""Alerts about stores, volumes and their backups."""

from __future__ import annotations

from exporter.outputs.alerts.model import Example, Recipe, Series
from exporter.outputs.alerts.services import EXPORTER_ANSWERS, WHY


def _disk(example: Example) -> tuple[Series, ...]:
    if example.limit >= 1:
        return ()
    free = (round(10**9 * (1 - example.above)), round(10**9 * (1 - example.below)))
    return (
        Series(f"volume_filesystem_avail_bytes{{{example.who}}}", *free),
        Series(f"volume_filesystem_size_bytes{{{example.who}}}", 10**9, 10**9),
    )


def _used(example: Example) -> tuple[Series, ...]:
    if example.limit >= 1:
        return ()
    return (
        Series(
            f"store_connections{{{example.who}}}", round(1000 * example.above), round(1000 * example.below)
        ),
        Series(f"store_connections_max{{{example.who}}}", 1000, 1000),
    )


def _memory(example: Example) -> tuple[Series, ...]:
    if example.limit >= 1:
        return ()
    used = round(1000 * example.above), round(1000 * example.below)
    return (
        Series(f"store_memory_used_bytes{{{example.who}}}", *used),
        Series(f"store_memory_max_bytes{{{example.who}}}", 1000, 1000),
        Series(f'store_memory_policy_info{{{example.who},policy="noeviction"}}', 1, 1),
    )


STORE_RECIPES = (
    Recipe(
        "StoreDown", "stores", "probed stores",
        expr="min by (service) (probe_success{<who>}) == 0",
        summary="Store {{ $labels.service }} is down",
        description=f"A probe of store {{{{ $labels.service }}}} fails. {WHY}"
        "Services that depend on it also fail; their alerts are muted meanwhile.",
        dashboard="stores",
        example=lambda e: (Series(f'probe_success{{{e.who},probe="redis",target="example:1"}}', 0, 1),),
    ),
    Recipe(
        "StoreConnectionsHigh", "stores", "stores",
        expr="store_connections{<who>} / (store_connections_max{<who>} > 0) > <limit>",
        summary="{{ $labels.service }} is running out of connections",
        description="{{ $value | humanizePercentage }} of the connections that {{ $labels.service }} allows "
        "are in use.",
        dashboard="stores",
        example=_used,
    ),
    Recipe(
        "StoreReplicationLag", "stores", "replicated",
        expr="store_replication_lag_seconds{<who>} > <limit>",
        summary="A replica of {{ $labels.service }} is behind",
        description="A replica of {{ $labels.service }} is {{ $value | humanizeDuration }} behind; the limit is "
        "<shown>.",
        dashboard="stores",
        example=lambda e: (
            Series(f"store_replication_lag_seconds{{{e.who}}}", e.limit * 2, e.limit / 2),
        ),
    ),
    Recipe(
        "StoreReplicationBroken", "stores", "stores",
        expr="store_replication_connected{<who>} == 0",
        summary="A replica of {{ $labels.service }} is disconnected",
        description="{{ $labels.target }} is a replica of {{ $labels.service }} and receives nothing from its primary. "
        "Reads from it return old data, and a failover to it loses all writes since then.",
        dashboard="stores",
        example=lambda e: (Series(f"store_replication_connected{{{e.who}}}", 0, 1),),
    ),
    Recipe(
        "StoreReplicasMissing", "stores", "followed",
        expr="max by (service) (store_replicas{<who>}) < <limit>",
        summary="{{ $labels.service }} has only {{ $value }} replicas",
        description="{{ $value }} replicas are connected to the primary of {{ $labels.service }}; there should be "
        "<shown>.",
        dashboard="stores",
        example=lambda e: (Series(f"store_replicas{{{e.who}}}", e.limit - 1, e.limit),) if e.limit else (),
    ),
    Recipe(
        "StoreWithoutPrimary", "stores", "followed",
        expr='max by (service) (store_role_info{<who>,role="replica"}) == 1\n'
        'unless on (service)\nstore_role_info{<who>,role="primary"}',
        summary="{{ $labels.service }} has no primary",
        description="Servers of {{ $labels.service }} answer, but all of them are replicas: nothing can be written.",
        dashboard="stores",
        example=lambda e: (
            Series(f'store_role_info{{{e.who},role="replica",target="b"}}', 1, 1),
            Series(f'store_role_info{{{e.who},role="primary",target="a"}}', None, 1),
        ),
    ),
    Recipe(
        "StoreWritesRefused", "stores", "stores",
        # A large value can be refused while there is still room for later, smaller ones.
        expr="store_writes_refused_info{<who>} == 1\nor\n"
        'label_replace(increase(store_out_of_memory_errors_total{<who>}[5m]) > 0, "cause", "memory", "", "")',
        summary="{{ $labels.service }} refuses writes ({{ $labels.cause }})",
        description="{{ $labels.target }} of {{ $labels.service }} answers but refuses writes. Cause: "
        "{{ $labels.cause }}.",
        dashboard="stores",
        window=5,
        example=lambda e: (Series(f'store_writes_refused_info{{{e.who},cause="memory"}}', 1, None),),
        keeps='cause="memory"',
    ),
    Recipe(
        "StoreMemoryHigh", "stores", "memory stores",
        expr="store_memory_used_bytes{<who>} / (store_memory_max_bytes{<who>} > 0) > <limit>\n"
        "and ignoring (policy)\n"
        'store_memory_policy_info{<who>,policy="noeviction"} == 1',
        summary="{{ $labels.service }} is running out of memory",
        description="{{ $labels.service }} uses {{ $value | humanizePercentage }} of its memory limit and evicts "
        "nothing: at 100% it refuses writes.",
        dashboard="stores",
        example=_memory,
    ),
    Recipe(
        "DiskFilling", "stores", "volumes", label="volume",
        # The forecast needs six hours of history: the first copy to a new volume is no trend.
        expr="(\n"
        "  1 - volume_filesystem_avail_bytes{<who>} / (volume_filesystem_size_bytes{<who>} > 0) > <limit>\n"
        ")\nor\n(\n"
        "    1 - volume_filesystem_avail_bytes{<who>} / (volume_filesystem_size_bytes{<who>} > 0)\n"
        "  and\n    predict_linear(volume_filesystem_avail_bytes{<who>}[6h], 86400) < 0\n"
        "  and\n    volume_filesystem_avail_bytes{<who>} offset 6h\n)",
        summary="The disk of volume {{ $labels.volume }} is filling up",
        description="The file system of volume {{ $labels.volume }} is {{ $value | humanizePercentage }} full: over "
        "<shown>, or expected to be full within a day.",
        dashboard="stores",
        example=_disk,
        keeps='volume="<name>"',
    ),
    Recipe(
        "BackupMissing", "backups", "backups",
        expr=f"(\n  <each>\n)\n{EXPORTER_ANSWERS}",
        each="absent(backup_last_success_timestamp_seconds{<who>})",
        summary="{{ $labels.service }} has no backup",
        description="The first scheduled backup of {{ $labels.service }} was due, but there is no good backup.",
        dashboard="stores",
        waits=True,
        example=lambda e: (
            Series(f"backup_last_success_timestamp_seconds{{{e.who}}}", None, 1),
            Series('up{job="exporter"}', 1, 1),
        ),
    ),
    Recipe(
        "BackupStale", "backups", "backups",
        expr="time() - backup_last_success_timestamp_seconds{<who>} > <limit>",
        summary="The backup of {{ $labels.service }} is {{ $value | humanizeDuration }} old",
        description="The last good backup of {{ $labels.service }} is {{ $value | humanizeDuration }} old; its "
        "schedule allows <shown>.",
        dashboard="stores",
        example=lambda e: (
            Series(f"backup_last_success_timestamp_seconds{{{e.who}}}", -round(e.limit) - 60, 10**9),
        ),
    ),
    Recipe(
        "BackupFailed", "backups", "backups",
        expr="backup_last_run_success{<who>} == 0",
        summary="The last backup of {{ $labels.service }} failed",
        description="The last run of the backup of {{ $labels.service }} failed; the copies of earlier runs are kept.",
        dashboard="stores",
        example=lambda e: (Series(f"backup_last_run_success{{{e.who}}}", 0, 1),),
    ),
    Recipe(
        "BackupDrillFailed", "backups", "drills",
        expr="backup_drill_success{<who>} == 0",
        summary="The backup of {{ $labels.service }} could not be restored",
        description="The last restore drill of {{ $labels.service }} failed: its backups may be worthless.",
        dashboard="stores",
        example=lambda e: (Series(f"backup_drill_success{{{e.who}}}", 0, 1),),
    ),
)  # fmt: skip
