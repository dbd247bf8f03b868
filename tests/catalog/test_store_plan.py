"""The questions that the daemon asks stores, and what it watches in addition to targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.loading import load_plan
from exporter.catalog.planning.plan import BackupsPlan, ContainersPlan, VolumePlan
from exporter.catalog.planning.specs import (
    MongodbSpec,
    MysqlSpec,
    PostgresqlSpec,
    RedisSpec,
    SqliteSpec,
    TlsSpec,
)
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText

if TYPE_CHECKING:
    from tests.catalog.doors import Write

PASSWORD = SecretText((EnvironmentReference("DB_PASSWORD"),))


def test_each_engine_is_asked_as_its_user_with_its_secret(write: Write) -> None:
    plan = load_plan(
        write(
            """
            stores:
              plain: {engine: postgresql}
              db: {engine: postgresql, username: watcher, password: "${DB_PASSWORD}", databases: [shop, stock]}
              cache: {engine: redis, port: 7000, password: "${DB_PASSWORD}", tls: {verify: false}}
              docs: {engine: mongodb, username: watcher, password: "${DB_PASSWORD}"}
              shop: {engine: mysql}
              wiki: {engine: mariadb, username: watcher, password: "${DB_PASSWORD}", databases: [wiki, stock]}
              queue: {engine: valkey, password: "${DB_PASSWORD}"}
            """
        ),
        secrets=False,
    )
    assert {target.service: target.spec for target in plan.targets} == {
        "plain": PostgresqlSpec("plain", 5432, "postgres", "postgres"),
        "db": PostgresqlSpec("db", 5432, "watcher", "shop", PASSWORD),
        "cache": RedisSpec("cache", 7000, None, PASSWORD, TlsSpec(verify=False)),
        "docs": MongodbSpec("docs", 27017, "watcher", PASSWORD),
        "shop": MysqlSpec("shop", 3306, "root"),
        "wiki": MysqlSpec("wiki", 3306, "watcher", "wiki", PASSWORD),
        "queue": RedisSpec("queue", 6379, None, PASSWORD),
    }
    assert {target.probe for target in plan.targets if target.service in ("shop", "wiki", "queue")} == {
        "mysql", "mariadb", "valkey"
    }  # fmt: skip


def test_a_replica_is_a_target_of_its_own(write: Write) -> None:
    plan = load_plan(
        write(
            """
            stores:
              db:
                engine: postgresql
                replicas: [{host: db-2}, {host: far, port: 5433}, {host: far, port: 5434}]
            """
        )
    )
    assert [(target.probe, target.target) for target in plan.targets] == [
        ("postgresql", "db:5432"),
        ("replica-db-2", "db-2:5432"),
        ("replica-far-5433", "far:5433"),
        ("replica-far-5434", "far:5434"),
    ]


def test_a_probe_of_ones_own_takes_the_place_of_the_built_in_one(write: Write) -> None:
    plan = load_plan(
        write("stores: {db: {engine: redis, probes: [{name: redis, tcp: 6379}, {name: also, icmp: true}]}}\n")
    )
    assert [target.probe for target in plan.targets] == ["redis", "also"]


def test_a_file_is_asked_for_where_the_daemon_sees_its_volume(write: Write) -> None:
    text = """
        services:
          web: {image: web, volumes: ["outer:/data", "inner:/data/deep", "./local:/srv"]}
        volumes: {outer: {}, inner: {}}
        stores:
          in-outer: {engine: sqlite, service: web, path: /data/a.db, check_interval: 1h}
          in-inner: {engine: sqlite, service: web, path: /data/deep/b.db}
          in-folder: {engine: sqlite, service: web, path: /srv/c.db}
        """
    path = write(text + "exporter: {volumes: '/var/{project}_{volume}/_data'}\n")
    specs = {target.service: target.spec for target in load_plan(path).targets}
    assert specs["in-outer"] == SqliteSpec("/var/shop_outer/_data/a.db", 3600)
    assert specs["in-inner"] == SqliteSpec("/var/shop_inner/_data/b.db", 21600)
    in_folder = specs["in-folder"]
    assert isinstance(in_folder, SqliteSpec)
    assert in_folder.path.endswith("/local/c.db")


def test_volumes_backups_and_containers(write: Write) -> None:
    plan = load_plan(
        write(
            """
            exporter: {containers: {source: api, interval: 5s, strangers: false, labels: team}}
            backup: {directory: /srv/backups}
            stores: {db: {engine: redis, auth: off, volume: db-data, backup: "0 3 * * *"}}
            volumes: {files: {backup: "0 4 * * *"}, scratch: {}}
            environments: {staging: {}}
            """
        )
    )
    assert plan.volumes == (
        VolumePlan("files", "/volumes/files"),
        VolumePlan("scratch", "/volumes/scratch"),
        VolumePlan("db-data", "/volumes/db-data"),
    )
    assert plan.backups == BackupsPlan("/srv/backups/staging/markers", ("db", "files"))
    assert plan.containers == ContainersPlan(
        source="api", interval=5, strangers=False, projects=("shop", "shop-staging"), labels=("team",)
    )


def test_logs_are_the_usual_levels_and_the_named_patterns(write: Write) -> None:
    plan = load_plan(
        write(
            """
            services:
              silent: {image: a}
              usual: {image: a, logs: on}
              named: {image: a, logs: {levels: false, patterns: {traceback: "^Traceback "}, max_line: 4Ki}}
            """
        )
    )
    silent, usual, named = (service.logs for service in plan.services)
    assert silent is None
    assert usual is not None
    assert "error" in dict(usual.patterns)
    assert named is not None
    assert (named.patterns, named.max_line) == ((("traceback", "^Traceback "),), 4096)
