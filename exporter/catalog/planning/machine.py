"""What differs by the machine that the daemon runs on, and not by the catalog: variables of its process.

The generated stack sets them: in a container the host's files have other places, and services are found by name even
where the catalog's `address` is that of a laptop. Each wins over what the catalog says.
"""

from __future__ import annotations

import os

from exporter.catalog.values.network import parse_address_template

ADDRESS = "EXPORTER_ADDRESS"
"""An address template for what is deployed beside the daemon, such as {service}:{port}."""
DOCKER = "EXPORTER_DOCKER"
CGROUP = "EXPORTER_CGROUP"
PROC = "EXPORTER_PROC"


def own_address() -> str | None:
    """The address template by which the daemon finds deployed services from where it runs, if that is said.

    Raises:
        ValueError: it is none; one sentence.
    """
    written = os.environ.get(ADDRESS)
    if not written:
        return None
    try:
        return parse_address_template(written)
    except ValueError as error:
        raise ValueError(f"the environment variable {ADDRESS}: {error}") from None


def own_place(variable: str, written: str | None) -> str | None:
    """What the variable says, or else what is written in the catalog."""
    return os.environ.get(variable) or written
