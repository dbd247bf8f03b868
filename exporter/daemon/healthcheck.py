"""Whether the daemon on this machine answers; cheap enough for a container to ask every few seconds."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 5.0
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, not listening


@dataclass(frozen=True, slots=True)
class Health:
    healthy: bool
    detail: str


def ask(config: Path, environment: str | None, listen: tuple[str, int] | None) -> Health:
    """The daemon's own `/-/healthy`, at `listen`, or where the catalog says that it listens in `environment`."""
    if listen is None:
        from exporter.catalog.listening import read_listen
        from exporter.catalog.problems import CatalogError

        try:
            listen = read_listen(config, environment)
        except CatalogError as error:
            return Health(False, str(error))
    host, port = WILDCARDS.get(listen[0], listen[0]), listen[1]
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/-/healthy")
        answer = connection.getresponse()
    except TimeoutError:
        return Health(False, f"no answer from {host}:{port} within {SECONDS:g} s")
    except OSError as error:
        return Health(False, f"no answer from {host}:{port}: {error.strerror or 'it closed the connection'}")
    except http.client.HTTPException:  # its words are those of whoever listens there
        return Health(False, f"{host}:{port} does not answer in HTTP")
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        return Health(False, f"{host}:{port} answered {answer.status}")
    return Health(True, "healthy")
