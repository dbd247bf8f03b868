"""The key `backup`, and the schedule of each store and volume."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.network import Url
from exporter.catalog.values.references import Secret
from exporter.catalog.values.scalars import Duration, Text, Words
from exporter.catalog.values.schedules import Cron


class Schedule(Model):
    """Backup schedule of a store or volume, and the number of backups to keep."""

    schedule: Cron = Field(
        default="0 3 * * *", description="The five fields of cron: minute, hour, day, month, weekday."
    )
    keep: Annotated[int, Field(ge=1)] = Field(default=14, description="Number of good backups to keep.")
    max_age: Duration | None = Field(
        default=None,
        description="Age at which the last backup is stale; default: twice the schedule's interval.",
    )


def _schedule_shorthand(value: object) -> object:
    return {"schedule": value} if isinstance(value, str) else {} if value is True else value


BackupSchedule = Annotated[
    Schedule, BeforeValidator(_schedule_shorthand, json_schema_input_type=Schedule | Cron | Literal[True])
]


class S3(Model):
    """A bucket that backups are uploaded to."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = Field(
        description="Name of the bucket."
    )
    prefix: Words = Field(default="", description="Prefix of object names.")
    region: Words | None = Field(default=None, description="The bucket's region.")
    endpoint: Url | None = Field(default=None, description="URL of another S3-compatible provider.")
    access_key: Secret | None = Field(
        default=None, description="Access key, by reference; default: the environment's credentials."
    )
    secret_key: Secret | None = Field(default=None, description="Secret key, by reference.")


def _s3_shorthand(value: object) -> object:
    return {"bucket": value} if isinstance(value, str) else value


class Encryption(Model):
    """Encryption of backups."""

    recipient_file: Words = Field(description="File of the public key, relative to the catalog.")
    tool: Annotated[str, Field(pattern="^(age|gpg)$")] = Field(default="age", description="age or gpg.")


class Backup(Model):
    """Storage of backups."""

    directory: Words = Field(default="/var/backups", description="The folder on the host.")
    s3: Annotated[S3, BeforeValidator(_s3_shorthand, json_schema_input_type=S3 | str)] | None = Field(
        default=None, description="Upload to a bucket; a plain name is short for it."
    )
    encrypt: Encryption | None = Field(default=None, description="Encryption of backups.")
    configuration: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="More files and folders to back up with the catalog."
    )
    drill: Schedule | None = Field(
        default=None, description="When a test restore into throw-away containers runs."
    )
