"""The key `health`: the HTTP probe that the container's health check also runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from exporter.catalog.keys.probes.http import HttpProbe, http_shorthand
from exporter.catalog.values.network import Url, UrlPath
from exporter.catalog.values.scalars import Duration  # noqa: TC001 - pydantic reads it at run time

HEALTH_PROBE = "health"
"""Name of the probe that the key `health` creates."""


class Health(HttpProbe):
    """The HTTP probe named health, which the container's health check also runs."""

    interval: Duration | None = Field(
        default=None, description="Time between two checks; default: the service's."
    )
    timeout: Duration | None = Field(
        default=None, description="Time limit of one check; default: the service's."
    )


HealthOrShort = Annotated[
    Health, BeforeValidator(http_shorthand, json_schema_input_type=Health | UrlPath | Url)
]
