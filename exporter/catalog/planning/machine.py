"""Settings that depend on the machine of the daemon, not on the catalog: environment variables.

The generated stack sets them: in a container the host's files are at other places, and services are found by name
even if the catalog's `address` is for a laptop. Each overrides the catalog.
"""

from __future__ import annotations

import os

from exporter.catalog.values.network import parse_address_template

ADDRESS = "EXPORTER_ADDRESS"
"""An address template for services that are deployed with the daemon, such as {service}:{port}."""
DOCKER = "EXPORTER_DOCKER"
CGROUP = "EXPORTER_CGROUP"
PROC = "EXPORTER_PROC"


def own_address() -> str | None:
    """Return the address template for deployed services as seen from the daemon, if the variable is set.

    Raises:
        ValueError: it is not an address template; one sentence.
    """
    written = os.environ.get(ADDRESS)
    if not written:
        return None
    try:
        return parse_address_template(written)
    except ValueError as error:
        raise ValueError(f"the environment variable {ADDRESS}: {error}") from None


def own_place(variable: str, written: str | None) -> str | None:
    """Return the value of the variable, or else the one in the catalog."""
    return os.environ.get(variable) or written
