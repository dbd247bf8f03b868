"""The key `maintenance`: maintenance windows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.names import ContainerName, Label
from exporter.catalog.values.schedules import TimeZone, WeeklyWindow


class Maintenance(Model):
    """A maintenance window, in which nobody is notified."""

    name: Label = Field(description="Name of the window.")
    when: WeeklyWindow = Field(
        description="Days and hours, such as Sun 02:00-04:00; without days, every day."
    )
    timezone: TimeZone = Field(default="UTC", description="The time zone of the hours.")
    services: Annotated[tuple[ContainerName, ...], one_or_many(ContainerName)] = Field(
        default=(), description="Only these services and stores; default: all."
    )
