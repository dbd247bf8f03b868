"""Known images: which are stores, and which have a URL that shows their health."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.imports.mapping.values import literal

_REGISTRY = re.compile(r"^(?:[^/]*[.:][^/]*|localhost)/")
_VERSION = re.compile(r"v?[0-9]+(?:\.[0-9]+)*(?:-[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class Known:
    """A known image. `engine`: the store; `path`: of an HTTP service's health; both empty: a port that answers."""

    port: int
    engine: str = ""
    path: str = ""


def _stores(engine: str, port: int, names: str) -> dict[str, Known]:
    return dict.fromkeys(names.split(), Known(port, engine))


_EXACT: dict[str, Known] = {
    **_stores(
        "postgresql",
        5432,
        "postgres postgis/postgis timescale/timescaledb timescale/timescaledb-ha pgvector/pgvector ankane/pgvector "
        "immich-app/postgres supabase/postgres bitnami/postgresql bitnamilegacy/postgresql citusdata/citus "
        "percona/percona-distribution-postgresql",
    ),
    **_stores(
        "redis",
        6379,
        "redis eqalpha/keydb dragonflydb/dragonfly redis/redis-stack redis/redis-stack-server "
        "bitnami/redis bitnamilegacy/redis",
    ),
    **_stores("valkey", 6379, "valkey/valkey bitnami/valkey"),
    **_stores("mongodb", 27017, "mongo bitnami/mongodb bitnamilegacy/mongodb percona/percona-server-mongodb"),
    **_stores(
        "mysql",
        3306,
        "mysql percona percona/percona-server bitnami/mysql bitnamilegacy/mysql mysql/mysql-server",
    ),
    **_stores("mariadb", 3306, "mariadb linuxserver/mariadb bitnami/mariadb bitnamilegacy/mariadb"),
    **dict.fromkeys(
        ("clickhouse", "clickhouse/clickhouse-server", "yandex/clickhouse-server"), Known(8123, path="/ping")
    ),
    **dict.fromkeys(("memcached",), Known(11211)),
    **dict.fromkeys(
        ("elasticsearch", "elasticsearch/elasticsearch", "opensearchproject/opensearch"),
        Known(9200, path="/_cluster/health"),
    ),
    **dict.fromkeys(("minio", "minio/minio"), Known(9000, path="/minio/health/live")),
    **dict.fromkeys(("rabbitmq", "bitnami/rabbitmq"), Known(5672)),
    **dict.fromkeys(("apache/kafka", "bitnami/kafka", "confluentinc/cp-kafka"), Known(9092)),
    "mssql/server": Known(1433),
    "getmeili/meilisearch": Known(7700, path="/health"),
    "influxdb": Known(8086, path="/health"),
    "qdrant/qdrant": Known(6333, path="/readyz"),
}
_FAMILIES = {"tensorchord": Known(5432, "postgresql")}
"""Publishers all of whose images are of one kind."""


def known(image: str | None) -> Known | None:
    """Return what an image is: by whole segments of its name, without registry, tag and digest."""
    name, _ = split_image(image or "")
    found = _EXACT.get(name)
    return found or _FAMILIES.get(name.partition("/")[0])


def split_image(image: str) -> tuple[str, str]:
    """Return name and tag of an image, with the defaults of its variables."""
    text = literal(image).partition("@")[0].strip()
    bare = _REGISTRY.sub("", text, count=1)
    name, _, tag = bare.partition(":")
    return name.removeprefix("library/"), tag


def version(image: str) -> str:
    """Return the tag of an image if it is a version."""
    tag = split_image(image)[1]
    return tag if _VERSION.fullmatch(tag) else ""


def tagged(image: str) -> str:
    """Return an image with the tag that it has without one: the catalog requires a version of what it deploys."""
    last = literal(image).rpartition("/")[2]
    return image if ":" in last or "@" in image or image.endswith("}") else f"{image}:latest"
