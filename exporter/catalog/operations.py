"""Delivery, maintenance, clusters, machines and their prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.problems import shown
from exporter.catalog.schedules import TimeZone, WeeklyWindow
from exporter.catalog.values import Label, Size, Text, value_type


class Pipeline(Model):
    """Continuous integration and delivery."""

    provider: Literal["github"] = Field(default="github", description="Whose workflow is written.")
    branches: dict[Text, Label] = Field(
        default={}, description="Branches, and the environment that each is deployed to."
    )
    pull_requests: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=("main",), description="Branches whose pull requests are checked."
    )
    checks: Annotated[tuple[Literal["tests", "lint", "security"], ...], one_or_many(Text)] = Field(
        default=("tests", "lint", "security"), description="What is run before images are built."
    )
    platforms: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=("linux/amd64",), description="Platforms that images are built for."
    )


class Maintenance(Model):
    """A time in which nobody is woken."""

    name: Label = Field(description="What it is called.")
    when: WeeklyWindow = Field(
        description="Days and hours, such as Sun 02:00-04:00; without days, every day."
    )
    timezone: TimeZone = Field(default="UTC", description="The time zone of the hours.")
    services: Annotated[tuple[Label, ...], one_or_many(Label)] = Field(
        default=(), description="Only these services and stores; default: all."
    )


class Kubernetes(Model):
    """What generated Kubernetes files say beside the services."""

    namespace: Label | None = Field(
        default=None, description="The namespace; default: the project and environment."
    )
    ingress_class: Text = Field(default="nginx", description="The ingress controller.")
    storage_class: Text | None = Field(
        default=None, description="The class of volumes; default: the cluster's."
    )


class Infrastructure(Model):
    """The machine that generated infrastructure code asks for."""

    provider: Literal["aws"] = Field(default="aws", description="The cloud.")
    region: Text = Field(default="eu-central-1", description="The region.")
    machine: Text = Field(default="t3.medium", description="The type of machine.")
    count: Annotated[int, Field(ge=1)] = Field(default=1, description="How many machines.")
    disk: Size = Field(
        default=40 * 1024**3, description="Size of the disk.", json_schema_extra={"default": "40Gi"}
    )
    allow_ssh_from: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Networks that may connect by SSH, such as 203.0.113.0/24."
    )


class Costs(Model):
    """Prices, for the report."""

    currency: Text = Field(default="USD", description="The currency.")
    cpu_hour: Annotated[
        Decimal, *value_type(lambda value: _parse_price(value), {"type": "number", "minimum": 0}, "price")
    ] = Field(description="Price of one core for an hour.")
    memory_hour: Annotated[
        Decimal, *value_type(lambda value: _parse_price(value), {"type": "number", "minimum": 0}, "price")
    ] = Field(description="Price of 1 GiB for an hour.")


def _parse_price(value: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return Decimal(str(value))
    raise ValueError(f"{shown(value)} is not a price; write a number such as 0.04")
