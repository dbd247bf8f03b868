"""The key `alertmanager`: how alerts are grouped and sent."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.keys.owners import Email
from exporter.catalog.values.names import Label
from exporter.catalog.values.network import Address
from exporter.catalog.values.references import Secret
from exporter.catalog.values.scalars import Duration, Text


class Smtp(Model):
    """Mail server for alerts."""

    address: Address = Field(description="host:port.")
    sender: Email = Field(description="The From address.")
    username: Text | None = Field(default=None, description="User name on the mail server.")
    password: Secret | None = Field(default=None, description="That user's password, by reference.")
    require_tls: bool = Field(default=True, description="Send mail only over TLS.")


class Alertmanager(Model):
    """Grouping and sending of alerts."""

    slack_url: Secret | None = Field(
        default=None, description="Slack incoming webhook for all owners, by reference."
    )
    smtp: Smtp | None = Field(default=None, description="The mail server.")
    group_wait: Duration = Field(
        default=30.0,
        description="Wait for more alerts of a group before the first message.",
    )
    group_interval: Duration = Field(
        default=300.0,
        description="Wait before a message about a changed group.",
    )
    repeat_interval: Duration = Field(
        default=14400.0,
        description="Wait before the same message is sent again.",
    )
    watchdog: Label | None = Field(
        default=None, description="The owner who receives the watchdog; default: nobody."
    )
    watchdog_interval: Duration = Field(
        default=300.0,
        description="Time between two watchdog messages.",
    )
    retention: Duration = Field(
        default=432000.0,
        description="How long silences and notifications are kept.",
    )
    version: Text | None = Field(default=None, description="Image tag in the generated stack.")
