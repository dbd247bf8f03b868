"""The key `exporter`: the daemon itself, and how it watches containers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.exporter_web import Web
from exporter.catalog.values.addresses import DEFAULT_LISTEN
from exporter.catalog.values.network import HostPattern, Listen, Url, check_places
from exporter.catalog.values.scalars import Duration, Text, Words, text_schema, value_type
from exporter.catalog.values.texts import Interpolated
from exporter.catalog.values.words import shown


class Containers(Model):
    """Settings for watching containers."""

    source: Literal["auto", "cgroup", "api", "off"] = Field(
        default="auto",
        description="Source of readings: cgroup files, the engine's API, or the better of the two.",
    )
    interval: Duration = Field(default=10.0, description="Time between two readings.")
    strangers: bool = Field(default=True, description="Also watch containers that the catalog does not name.")
    docker: Text | None = Field(
        default=None,
        description="The engine's address, such as unix:///var/run/docker.sock; "
        "default: DOCKER_HOST, then the usual socket.",
    )
    cgroup: Words | None = Field(
        default=None, description="Where the host's cgroup files are mounted; default: detected."
    )
    proc: Words | None = Field(default=None, description="Where the host's /proc is mounted; default: /proc.")
    labels: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(),
        description="Container labels that become labels of series, in addition to those of Compose.",
    )


def _containers_shorthand(value: object) -> object:
    if value is False:
        return {"source": "off"}
    return {"source": value} if isinstance(value, str) else value


_VOLUME_FIELDS = ("volume", "project", "environment")
_VOLUMES_PATTERN = rf"^(?=.*\{{volume\}})([^{{}}]|\{{({'|'.join(_VOLUME_FIELDS)})\}})*$"


def _parse_volumes(value: object) -> str:
    if not isinstance(value, str) or "{volume}" not in value:
        raise ValueError(f"{shown(value)} is not a folder of volumes; write one such as /volumes/{{volume}}")
    check_places(value, "a folder of volumes", _VOLUME_FIELDS)
    return value


class Exporter(Model):
    """The daemon."""

    listen: Listen = Field(
        default=DEFAULT_LISTEN,
        description="Address and port of the daemon's web server.",
        json_schema_extra={"default": "0.0.0.0:9877"},
    )
    hosts: Annotated[tuple[HostPattern, ...], one_or_many(HostPattern)] = Field(
        default=(),
        description="More host names that its web server answers to, such as metrics.example.com, *.example.com, or "
        "* for any. Addresses, names without a dot, private names such as *.internal and the machine's own are always "
        "accepted.",
    )
    reload: bool = Field(
        default=True, description="Also reload the catalog on POST /-/reload; SIGHUP always does."
    )
    web: Web | None = Field(
        default=None,
        description="TLS and logins of its web server; generates web-config.yml and Prometheus's settings for it.",
    )
    alertmanagers: Annotated[tuple[Url, ...], one_or_many(Url)] = Field(
        default=(), description="Alertmanagers that Prometheus sends alerts to."
    )
    containers: Annotated[
        Containers,
        BeforeValidator(
            _containers_shorthand,
            json_schema_input_type=Containers | Literal["auto", "cgroup", "api", "off", False],
        ),
    ] = Field(
        default=Containers(), description="Settings for watching containers; a plain source is short for it."
    )
    volumes: Annotated[
        str,
        *value_type(
            _parse_volumes, text_schema(_VOLUMES_PATTERN, "/volumes/{volume}"), "folder with {volume} in it"
        ),
    ] = Field(
        default="/volumes/{volume}",
        description="Folder where the daemon finds a volume, for its free space and for SQLite files.",
    )
    image: Interpolated | None = Field(default=None, description="The daemon's image in the generated stack.")
