"""The key `owners`: who is notified, and how."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.container.alerts import Severity
from exporter.catalog.values.references import Secret, Template
from exporter.catalog.values.scalars import Text, Words, value_type
from exporter.catalog.values.words import shown

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost")


def _parse_email(value: object) -> str:
    if not isinstance(value, str) or not _EMAIL.fullmatch(value):
        raise ValueError(f"{shown(value)} is not an e-mail address")
    return value


Email = Annotated[str, *value_type(_parse_email, {"type": "string", "format": "email"}, "e-mail address")]
Severities = Annotated[tuple[Severity, ...], one_or_many(Severity)]


class Receiver(Model):
    """Keys that all receivers share."""

    severities: Severities = Field(
        default=(),
        description="Only these severities; default: all (PagerDuty, Opsgenie: critical only).",
    )
    resolved: bool = Field(default=True, description="Also notify when the alert resolves.")


class Slack(Receiver):
    """A Slack channel."""

    channel: Text = Field(description="Channel, in quotes, because # begins a comment.")
    url: Secret | None = Field(
        default=None, description="Incoming webhook, by reference; default: alertmanager.slack_url."
    )


class PagerDuty(Receiver):
    """A PagerDuty service."""

    key: Secret = Field(description="Routing key of the Events API v2, by reference.")


class EmailReceiver(Receiver):
    """A mail address."""

    to: Email = Field(description="The address.")


class Webhook(Receiver):
    """Your own HTTP endpoint."""

    url: Template = Field(description="URL that alerts are posted to; may hold references.")
    bearer_token: Secret | None = Field(default=None, description="A bearer token, by reference.")


class Teams(Receiver):
    """A Microsoft Teams workflow."""

    url: Secret = Field(description="The workflow's webhook, by reference.")


class Opsgenie(Receiver):
    """An Opsgenie team."""

    key: Secret = Field(description="API key, by reference.")
    team: Text | None = Field(default=None, description="The team that responds.")


_REFERENCE_KEYS = frozenset({"secret", "file", "env"})


def _receivers(model: Any, key: str, short: Any) -> BeforeValidator:
    """Accept one receiver or a list; a plain value or reference is short for the receiver's main key."""

    def long_form(value: object) -> object:
        is_short = not isinstance(value, dict) or bool(_REFERENCE_KEYS & value.keys())
        return {key: value} if is_short else value

    def validate(value: object) -> object:
        if value is None:
            return ()
        return tuple(long_form(item) for item in (value if isinstance(value, tuple) else (value,)))

    return BeforeValidator(validate, json_schema_input_type=model | short | tuple[model | short, ...] | None)


class Owner(Model):
    """People who are notified. Each kind of receiver takes one or a list."""

    description: Words = Field(default="", description="Who they are.")
    slack: Annotated[tuple[Slack, ...], _receivers(Slack, "channel", Text)] = Field(
        default=(), description="Slack channel."
    )
    pagerduty: Annotated[tuple[PagerDuty, ...], _receivers(PagerDuty, "key", Secret)] = Field(
        default=(), description="PagerDuty routing key."
    )
    email: Annotated[tuple[EmailReceiver, ...], _receivers(EmailReceiver, "to", Email)] = Field(
        default=(), description="E-mail address."
    )
    webhook: Annotated[tuple[Webhook, ...], _receivers(Webhook, "url", Template)] = Field(
        default=(), description="Webhook URL."
    )
    teams: Annotated[tuple[Teams, ...], _receivers(Teams, "url", Secret)] = Field(
        default=(), description="URL of a Microsoft Teams workflow."
    )
    opsgenie: Annotated[tuple[Opsgenie, ...], _receivers(Opsgenie, "key", Secret)] = Field(
        default=(), description="Opsgenie API key."
    )
