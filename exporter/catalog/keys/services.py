"""Services and their parts: image, resources, scaling, objectives, metrics, logs, mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import AbsenceError, Model, one_or_many
from exporter.catalog.keys.container.model import Container
from exporter.catalog.keys.probes.health import HealthOrShort  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.names import EnvironmentName, LabelName, MetricName
from exporter.catalog.values.network import Port, UrlPath
from exporter.catalog.values.scalars import Duration, Percentage, Words
from exporter.catalog.values.texts import Interpolated

if TYPE_CHECKING:
    from exporter.catalog.keys.container.hardening import Hardening


class Build(Model):
    """Build of the service's image."""

    context: Words = Field(default=".", description="Folder of the sources, relative to the catalog.")
    runtime: Literal["python", "node"] | None = Field(
        default=None, description="Recipe for a generated Dockerfile."
    )
    dockerfile: Words | None = Field(
        default=None, description="Your own Dockerfile, relative to the context."
    )
    target: Words | None = Field(default=None, description="The stage to build.")
    arguments: dict[EnvironmentName, Interpolated] = Field(
        default={}, description="Build arguments; never secrets."
    )
    base: Words | None = Field(
        default=None, description="The base image of a generated Dockerfile; default: the recipe's."
    )
    entry: Words | None = Field(
        default=None,
        description="Entry point of a generated Dockerfile, such as main:app; default: the recipe's.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.runtime and self.dockerfile:
            raise ValueError("runtime and dockerfile cannot be combined; your own Dockerfile needs no recipe")
        return self


def _build_shorthand(value: object) -> object:
    return {"context": value} if isinstance(value, str) else value


class Scale(Model):
    """Autoscaling: limits of the number of replicas, and targets."""

    min: Annotated[int, Field(ge=1)] = Field(default=1, description="Minimum number of replicas.")
    max: Annotated[int, Field(ge=1)] = Field(description="Maximum number of replicas.")
    cpu: Percentage | None = Field(default=None, description="Target usage, as a share of the CPU request.")
    memory: Percentage | None = Field(
        default=None, description="Target usage, as a share of the memory request."
    )

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is more than max ({self.max})")
        return self


class Metrics(Model):
    """The service's own Prometheus metrics."""

    path: UrlPath = Field(default="/metrics", description="Path at which they are served.")
    port: Port | None = Field(default=None, description="The port; default: the service's.")
    scheme: Literal["http", "https"] = Field(default="http", description="http or https.")
    interval: Duration | None = Field(
        default=None, description="Time between two scrapes; default: defaults.metrics_interval."
    )
    requests: MetricName = Field(default="http_requests_total", description="The counter of requests.")
    durations: MetricName = Field(
        default="http_request_duration_seconds", description="The histogram of request durations."
    )
    status_label: LabelName = Field(
        default="status", description="The label of the counter that holds the status code."
    )


def _metrics_shorthand(value: object) -> object:
    if value is True:
        return {}
    if value is False or value == "off":
        return None
    return {"path": value} if isinstance(value, str) else value


class Service(Container):
    """One service."""

    build: Annotated[Build, BeforeValidator(_build_shorthand, json_schema_input_type=Build | str)] | None = (
        Field(
            default=None,
            description="How its image is built; a plain folder is short for context. "
            "Without build and image it is watched but not deployed.",
        )
    )
    health: HealthOrShort | None = Field(
        default=None, description="The HTTP probe named health; a plain path or URL is short for it."
    )
    metrics: Annotated[
        Metrics | None,
        BeforeValidator(
            _metrics_shorthand, json_schema_input_type=Metrics | UrlPath | bool | Literal["off"] | None
        ),
    ] = Field(default=None, description="Its own Prometheus metrics; a plain path is short for it.")
    public: bool = Field(default=False, description="Put it on the edge network, behind the gateway.")
    replicas: Annotated[int, Field(ge=0)] = Field(default=1, description="Number of containers.")
    scale: Scale | None = Field(default=None, description="Autoscaling, on platforms that support it.")
    user: Interpolated | None = Field(
        default=None,
        description="The user inside the container; default: 65532 if hardening is strict, else the image's.",
    )
    read_only: bool | None = Field(
        default=None,
        description="Make the container's root file system read-only; default: true if hardening is strict.",
    )
    writable: Annotated[tuple[Words, ...], one_or_many(Words)] = Field(
        default=(),
        description="Folders in memory that every user of the container can write to; "
        "with a read-only root file system also /tmp.",
    )

    @property
    def deployable(self) -> bool:
        """True if it has an image."""
        return bool(self.build or self.image)

    @property
    def hardened_as(self) -> Hardening:
        """Return its kind of hardening: only images of the recipes are known to run under the strict one."""
        return self.hardening or ("strict" if self.build and self.build.runtime else "image")

    @property
    def probed(self) -> bool:
        """True if the daemon probes it; otherwise its containers are all that can be watched."""
        return self.port is not None or self.health is not None or bool(self.probes)

    @model_validator(mode="after")
    def _has_image(self) -> Self:
        if self.managed and not self.deployable:
            raise AbsenceError("managed: on needs an image or a build to deploy; write one of them")
        return self

    @model_validator(mode="after")
    def _on_the_edge(self) -> Self:
        if self.public and self.network_mode:
            raise ValueError(
                f"public puts it on the edge network, which it cannot join with network_mode {self.network_mode}; "
                "remove one of them"
            )
        return self
