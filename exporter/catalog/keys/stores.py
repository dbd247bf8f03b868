"""Stores: databases and caches, by engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, WithJsonSchema, model_validator

from exporter.catalog.base import AbsenceError, Model, one_or_many
from exporter.catalog.keys.backup import BackupSchedule  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.keys.container.model import Container
from exporter.catalog.keys.container.volumes import is_folder
from exporter.catalog.keys.probes.tls import Tls  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.addresses import is_loopback, split_address
from exporter.catalog.values.names import ContainerName, parse_container_name
from exporter.catalog.values.references import Secret  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.scalars import Duration, Percentage, Text, Words, unescaped
from exporter.catalog.values.switches import OnOff  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.texts import Interpolated

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
_OF_A_FILE = frozenset(
    [
        *_FILE_KEYS,
        "engine",
        "check_interval",
        "backup",
        "description",
        "owner",
        "managed",
        "depends_on",
        "probes",
        "probe",
        "slo",
        "alerts",
        "runbook",
    ]
)
"""Keys that mean something for a file inside a service. The others are of a container."""


def _checked_volume(text: str) -> str:
    return text if is_folder(text) else parse_container_name(text)


StoreVolume = Annotated[
    Interpolated,
    AfterValidator(_checked_volume),
    WithJsonSchema({"type": "string", "title": "volume or folder", "examples": ["db-data", "./data"]}),
]


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
    auth: OnOff | None = Field(
        default=None,
        description="off: everything on its network may read and write it. Outside of development a deployed store "
        "needs this or a password.",
    )
    databases: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Databases that it holds."
    )
    volume: StoreVolume | None = Field(
        default=None,
        description="The volume of its data, which needs no entry in volumes; or a folder of the host, ./data; "
        "default: its name followed by -data.",
    )
    user: Interpolated | None = Field(
        default=None, description="The user inside the container; default: the user of the image."
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
    service: ContainerName | None = Field(default=None, description="SQLite: the service that owns the file.")
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
            if wrong := sorted(written - _OF_A_FILE):
                raise ValueError(f"a sqlite store is a file inside a service and has no {' or '.join(wrong)}")
        elif wrong := [key for key in _FILE_KEYS if key in written]:
            raise ValueError(f"only a sqlite store has {' and '.join(wrong)}")
        return self

    _name: str = PrivateAttr(default="")

    def decide(self, name: str, *, managed: bool) -> None:
        """Decide if the catalog deploys it, and keep its name."""
        super().decide(name, managed=managed)
        self._name = name

    @property
    def data_volume(self) -> str | None:
        """Return the volume of its data; None for SQLite, for a folder of the host, and if it is only watched."""
        if self.engine == "sqlite" or self.data_folder or not self.deployed:
            return None
        return self.volume or f"{self._name}-data"

    @property
    def open(self) -> bool:
        """True if it has no password, and nobody has written that it needs none."""
        return self.password is None and self.auth is None

    @model_validator(mode="after")
    def _password_or_none(self) -> Self:
        if self.auth is False and self.password is not None:
            raise ValueError("auth: off and password cannot be combined")
        if self.auth and self.password is None:
            raise AbsenceError("auth: on needs a password; write password: {secret: NAME}")
        return self

    def runs_elsewhere(self, name: str) -> bool:
        """True if its own keys say that somebody else runs it: its containers, or an address elsewhere.

        Its own name and this machine are not elsewhere: a deployed store is reached by them.
        """
        if super().runs_elsewhere(name):
            return True
        if self.address is None:
            return False
        host, _ = split_address(
            self.address.format(service=name, port=1, project="project", environment="environment")
        )
        return host != name and not is_loopback(host)

    @property
    def data_folder(self) -> str | None:
        """Return the folder of the host that holds its data."""
        return self.volume if self.volume and is_folder(self.volume) else None

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
