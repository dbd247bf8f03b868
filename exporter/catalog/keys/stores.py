"""Stores: databases and caches, by engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from exporter.catalog.base import AbsenceError, Model, one_or_many
from exporter.catalog.keys.backup import BackupSchedule  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.keys.container.model import Container
from exporter.catalog.keys.probes.tls import Tls  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.names import Label  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.references import Secret  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.scalars import Duration, Percentage, Text, Words, unescaped

Engine = Literal["postgresql", "mysql", "mariadb", "mongodb", "redis", "valkey", "sqlite"]
Protocol = Literal["postgresql", "mysql", "mongodb", "redis", "sqlite"]


@dataclass(frozen=True, slots=True)
class EngineDefaults:
    """Defaults of one engine. `protocol`: what it speaks, and so what it is for everything but its container. `data`:
    the folder inside the container where the volume is mounted.
    """

    protocol: Protocol
    port: int
    image: str
    version: str
    user: str | None
    data: str


ENGINES: dict[str, EngineDefaults] = {
    "postgresql": EngineDefaults(
        "postgresql", 5432, "postgres", "17", "postgres", "/var/lib/postgresql/data"
    ),
    "mysql": EngineDefaults("mysql", 3306, "mysql", "8.4", "root", "/var/lib/mysql"),
    "mariadb": EngineDefaults("mysql", 3306, "mariadb", "11.8", "root", "/var/lib/mysql"),
    "mongodb": EngineDefaults("mongodb", 27017, "mongo", "8.0", None, "/data/db"),
    "redis": EngineDefaults("redis", 6379, "redis", "7.4", None, "/data"),
    "valkey": EngineDefaults("redis", 6379, "valkey/valkey", "8.1", None, "/data"),
}
"""Engines that run in their own container; SQLite is a file in the container of a service."""

_FILE_KEYS = ("service", "path")
_SERVER_KEYS = ("version", "image", "port", "host_port", "username", "password", "databases", "volume", "tls")


class Replica(Model):
    """A replica of this store."""

    host: Words = Field(description="Host of the replica.")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        default=None, description="Port of the replica; default: the store's."
    )
    max_lag: Duration | None = Field(default=None, description="Largest acceptable replication lag.")


class Store(Container):
    """One store."""

    engine: Engine = Field(description="Database engine.")
    version: Text | None = Field(default=None, description="Image tag; default: the engine's pinned version.")
    username: Text | None = Field(default=None, description="User to connect as; default: the engine's.")
    password: Secret | None = Field(default=None, description="That user's password, by reference.")
    databases: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Databases that it holds."
    )
    volume: Label | None = Field(
        default=None, description="The volume of its data; needs no entry in volumes."
    )
    backup: BackupSchedule | None = Field(default=None, description="When it is backed up.")
    tls: Tls | None = Field(default=None, description="TLS for connections to it.")
    max_connections: Percentage | None = Field(
        default=None,
        description="Alert if more than this share of connections is in use; default: the alert's threshold.",
    )
    replicas: tuple[Replica, ...] = Field(
        default=(),
        description="Its replicas; each is probed, and an alert fires if fewer are connected.",
    )
    service: Label | None = Field(default=None, description="SQLite: the service that owns the file.")
    path: Annotated[str, Field(pattern="^/"), AfterValidator(unescaped)] | None = Field(
        default=None, description="SQLite: the file inside that service's container."
    )
    check_interval: Duration = Field(
        default=21600.0,
        description="SQLite: time between two integrity checks.",
    )

    @model_validator(mode="after")
    def _keys_of_engine(self) -> Self:
        written = self.model_fields_set
        if self.engine == "sqlite":
            missing = [key for key in _FILE_KEYS if key not in written]
            if missing:
                raise AbsenceError(f"a sqlite store needs {' and '.join(missing)}")
            wrong = [key for key in _SERVER_KEYS if key in written]
            if wrong:
                raise ValueError(f"a sqlite store is a file inside a service and has no {' or '.join(wrong)}")
        elif wrong := [key for key in _FILE_KEYS if key in written]:
            raise ValueError(f"only a sqlite store has {' and '.join(wrong)}")
        return self

    @property
    def protocol(self) -> Protocol:
        """Return the protocol that it speaks: MariaDB speaks MySQL's, Valkey speaks Redis's."""
        return "sqlite" if self.engine == "sqlite" else ENGINES[self.engine].protocol

    @property
    def listen_port(self) -> int | None:
        """Return its port, or its engine's; None for SQLite."""
        if self.engine == "sqlite":
            return None
        return self.port or ENGINES[self.engine].port
