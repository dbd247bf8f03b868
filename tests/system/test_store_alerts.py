"""Real faults of stores, volumes and backups fire the generated alerts for the right subject, and resolve.

Uses two Redis servers and a replica, a small file system as a volume, and backup markers. Everything is broken
together and healed together, because the daemon checks volumes and backups only twice a minute. Thresholds and
windows are as generated; only the waits before an alert fires are removed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from exporter.storage.backup_marker import begin_drill, begin_run, end_drill, end_run, update_marker
from tests.components import require
from tests.probes.redis.server import RedisServer
from tests.system.stack import ENVIRONMENT, Fires, running_stack
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86400
LOOK_SECONDS = 60
"""The daemon checks every half minute; the rest is for slow machines."""

CATALOG = """
project: shop
exporter:
  alertmanagers: "http://127.0.0.1:{alertmanager}"
  containers: off
  volumes: "{folder}/volumes/{{volume}}"
prometheus: {{scrape_interval: 1s}}
defaults:
  probe: {{interval: 1s, timeout: 900ms}}
  alerts:
    StoreDown: {{for: 0s}}
    StoreConnectionsHigh: {{for: 0s}}
    StoreReplicationBroken: {{for: 0s}}
    StoreReplicasMissing: {{for: 0s}}
    StoreWritesRefused: {{for: 0s}}
    StoreMemoryHigh: {{for: 0s}}
    BackupMissing: {{for: 0s}}
    BackupStale: {{for: 0s}}
    DiskFilling: {{for: 0s}}
    ServiceSlow: off
services:
  web: {{image: shop/web, volumes: "uploads:/uploads"}}
stores:
  cache: {{engine: redis, auth: off, address: "127.0.0.1:{cache}"}}
  queue: {{engine: redis, auth: off, address: "127.0.0.1:{queue}", replicas: [{{host: 127.0.0.1, port: {replica}}}]}}
volumes:
  uploads: {{}}
  new: {{backup: "0 3 * * *"}}
  old: {{backup: "0 3 * * *"}}
  failed: {{backup: "0 3 * * *"}}
  cut-off: {{backup: "0 3 * * *"}}
  drilled: {{backup: "0 3 * * *"}}
backup: {{directory: "{folder}/backups", drill: {{schedule: "0 5 * * 0"}}}}
environments: {{{environment}: {{}}}}
"""
MAX_CLIENTS = 30
CLIENTS = 26
"""With the probe's own connection, 90 % of them."""
DISK_MEBIBYTES = 16

NEW: Fires = ("BackupMissing", "new")
"""Alerts from the start: this volume was never saved."""
BROKEN: tuple[Fires, ...] = (
    ("StoreDown", "cache"),
    ("StoreConnectionsHigh", "queue"),
    ("StoreReplicationBroken", "queue"),
    ("StoreReplicasMissing", "queue"),
    ("StoreWritesRefused", "queue"),
    ("StoreMemoryHigh", "queue"),
    ("DiskFilling", "web"),
    ("BackupStale", "old"),
    ("BackupFailed", "failed"),
    ("BackupFailed", "cut-off"),
    ("BackupDrillFailed", "drilled"),
)


class World:
    """Everything that runs, and the handles to break it."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._markers = folder / "backups" / ENVIRONMENT / "markers"
        self._disk = folder / "volumes" / "uploads"
        self._clients = stack.enter_context(contextlib.ExitStack())
        stack.enter_context(file_system(self._disk))
        self.cache = stack.enter_context(RedisServer(folder / "cache"))
        queue = RedisServer(folder / "queue", maxclients=str(MAX_CLIENTS), repl_diskless_sync_delay="0")
        self.queue = stack.enter_context(queue)
        replica = RedisServer(folder / "replica", replicaof=f"127.0.0.1 {queue.port}")
        self.replica = stack.enter_context(replica)
        for name in ("old", "failed", "cut-off", "drilled"):
            self.save(name)
        self.drill("drilled")
        ports = {
            "cache": self.cache.port,
            "queue": self.queue.port,
            "replica": self.replica.port,
            "alertmanager": free_port(),
        }
        catalog = CATALOG.format(**ports, folder=folder, environment=ENVIRONMENT)
        self.stack = stack.enter_context(running_stack(folder, catalog, catalog, ports["alertmanager"]))

    def save(self, name: str, *, ago: float = 0, error: str | None = None) -> None:
        """Record a backup of a volume that ended this long ago."""
        ended = time.time() - ago
        self.begin(name, ended - 10)
        update_marker(
            self._markers,
            name,
            lambda old: end_run(old or "", now=ended, error=error, backup="a", size_bytes=9),
        )

    def begin(self, name: str, at: float, time_limit: float = 3600) -> None:
        """Record the start of a backup."""
        update_marker(
            self._markers,
            name,
            lambda old: begin_run(
                old, name=name, kind="volume", environment=ENVIRONMENT, now=at, time_limit=time_limit
            ),
        )

    def drill(self, name: str, error: str | None = None) -> None:
        """Record a restore drill of the last backup."""
        now = time.time()
        update_marker(self._markers, name, lambda old: begin_drill(old or "", now=now - 5, time_limit=60))
        update_marker(self._markers, name, lambda old: end_drill(old or "", now=now, backup="a", error=error))

    def break_all(self) -> None:
        self.cache.stop()
        self.queue.run("CONFIG", "SET", "maxmemory", "1mb")
        self.queue.run("DEBUG", "POPULATE", "20000", "key", "100")
        self.replica.run("REPLICAOF", "127.0.0.1", str(free_port()))
        for _ in range(CLIENTS):
            self._clients.enter_context(socket.create_connection(("127.0.0.1", self.queue.port)))
        (self._disk / "dump").write_bytes(bytes((DISK_MEBIBYTES - 1) * 2**20))
        self.save("old", ago=3 * DAY)
        self.save("failed", error="no space left on the device")
        self.begin("cut-off", time.time() - 100, time_limit=60)
        self.drill("drilled", error="the dump could not be read")

    def heal_all(self) -> None:
        self.cache.start()
        self._clients.close()
        self.queue.run("CONFIG", "SET", "maxmemory", "0")
        self.replica.run("REPLICAOF", "127.0.0.1", str(self.queue.port))
        (self._disk / "dump").unlink()
        for name in ("new", "old", "failed", "cut-off"):
            self.save(name)
        self.drill("drilled")


@contextlib.contextmanager
def file_system(folder: Path) -> Iterator[None]:
    """Mount a separate small file system."""
    if os.geteuid() != 0:
        pytest.skip("to mount a file system needs root")
    folder.mkdir(parents=True)
    subprocess.run(
        [require("mount"), "-t", "tmpfs", "-o", f"size={DISK_MEBIBYTES}m", "tmpfs", folder], check=True
    )
    try:
        yield
    finally:
        subprocess.run([require("umount"), folder], check=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run with everything healthy, except the volume that has no backup yet."""
    with contextlib.ExitStack() as stack:
        running = World(tmp_path_factory.mktemp("stores"), stack)
        ask = running.stack.prometheus.values
        until(lambda: ask("store_connections_max").keys() == {"cache", "queue"}, "both stores to be asked")
        until(lambda: ask("store_replicas").get("queue") == 1, "the replica to be connected")
        until(lambda: "uploads" in ask("volume_filesystem_avail_bytes", by="volume"), "the volume's space")
        until(lambda: len(ask("backup_last_success_timestamp_seconds")) == 4, "the backups' markers")
        running.stack.until_only(NEW)
        yield running


@pytest.fixture(scope="module")
def broken(world: World) -> World:
    world.break_all()
    return world


@pytest.fixture(scope="module")
def healed(broken: World) -> World:
    broken.stack.until_firing(NEW, *BROKEN, seconds=LOOK_SECONDS)
    broken.heal_all()
    return broken


@pytest.mark.parametrize("alert", BROKEN, ids="-".join)
def test_a_fault_fires_its_alert(broken: World, alert: Fires) -> None:
    broken.stack.until_firing(alert, seconds=LOOK_SECONDS)


def test_nothing_else_fires(broken: World) -> None:
    broken.stack.until_only(NEW, *BROKEN)


@pytest.mark.parametrize("alert", [NEW, *BROKEN], ids="-".join)
def test_its_end_resolves_the_alert(healed: World, alert: Fires) -> None:
    healed.stack.until_resolved(alert, seconds=LOOK_SECONDS)


def test_all_is_well_in_the_end(healed: World) -> None:
    healed.stack.until_only()
