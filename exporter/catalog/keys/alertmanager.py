"""The key `alertmanager`: how alerts are grouped and sent."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.keys.owners import Email
from exporter.catalog.values.network import Address
from exporter.catalog.values.references import Secret
from exporter.catalog.values.scalars import Duration, Label, Text


class Smtp(Model):
    """The mail server that alerts go out by."""

    address: Address = Field(description="host:port.")
    sender: Email = Field(description="The From address.")
    username: Text | None = Field(default=None, description="The user who sends.")
    password: Secret | None = Field(default=None, description="That user's password, by reference.")
    require_tls: bool = Field(default=True, description="Whether mail goes out by TLS only.")


class Alertmanager(Model):
    """How alerts are grouped and sent."""

    slack_url: Secret | None = Field(
        default=None, description="Slack's incoming webhook of all owners, by reference."
    )
    smtp: Smtp | None = Field(default=None, description="The mail server.")
    group_wait: Duration = Field(
        default=30.0,
        description="Wait for more of a group before the first message.",
        json_schema_extra={"default": "30s"},
    )
    group_interval: Duration = Field(
        default=300.0,
        description="Wait before a message about a change in a group.",
        json_schema_extra={"default": "5m"},
    )
    repeat_interval: Duration = Field(
        default=14400.0,
        description="Wait before the same message again.",
        json_schema_extra={"default": "4h"},
    )
    watchdog: Label | None = Field(
        default=None, description="The owner who receives the watchdog; default: nobody."
    )
    watchdog_interval: Duration = Field(
        default=300.0,
        description="Time between two messages of the watchdog.",
        json_schema_extra={"default": "5m"},
    )
    retention: Duration = Field(
        default=432000.0,
        description="How long silences and notifications are kept.",
        json_schema_extra={"default": "5d"},
    )
    version: Text | None = Field(default=None, description="The image's tag in the generated stack.")
