"""Whether the daemon on this machine answers; cheap enough for a container to ask every few seconds."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 5.0
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, not listening
ALIVE = {200: "healthy", 401: "healthy; it asks for a login", 429: "healthy; its rate limit is reached"}
"""A health check has no password, and needs none: who asks for one answers."""
WANTS_CERTIFICATE = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_BAD_CERTIFICATE",
    }
)
"""The alerts of a daemon that asks for a client's certificate: to send one, it must be alive."""
NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})


@dataclass(frozen=True, slots=True)
class Health:
    healthy: bool
    detail: str


def ask(
    config: Path, environment: str | None, listen: tuple[str, int] | None, web_config: Path | None = None
) -> Health:
    """The daemon's own `/-/healthy`, at `listen`, or where the catalog says that it listens in `environment`.

    With a web configuration TLS is tried first. Its certificate is not judged: it is of another name than this
    machine's loopback, and what is asked is only whether the daemon is alive.
    """
    if listen is None:
        from exporter.catalog.listening import read_listen
        from exporter.catalog.problems import CatalogError

        try:
            listen = read_listen(config, environment)
        except CatalogError as error:
            return Health(False, str(error))
    host, port = WILDCARDS.get(listen[0], listen[0]), listen[1]
    try:
        if web_config is not None:
            try:
                return _ask(http.client.HTTPSConnection(host, port, timeout=SECONDS, context=_unjudged()))
            except ssl.SSLError as error:
                if error.reason in WANTS_CERTIFICATE:
                    return Health(True, "healthy; it asks for a client certificate")
                if error.reason not in NO_TLS:
                    raise
        return _ask(http.client.HTTPConnection(host, port, timeout=SECONDS))
    except http.client.RemoteDisconnected:
        hint = "" if web_config else "; if it serves TLS, name its --web.config.file"
        return Health(False, f"{host}:{port} closed the connection without an answer{hint}")
    except (OSError, http.client.HTTPException) as error:
        return Health(False, f"no answer from {host}:{port}: {error}")


def _ask(connection: http.client.HTTPConnection) -> Health:
    try:
        connection.request("GET", "/-/healthy")
        answer = connection.getresponse()
        answer.read(200)
    finally:
        connection.close()
    detail = ALIVE.get(answer.status, f"{connection.host}:{connection.port} answered {answer.status}")
    return Health(answer.status in ALIVE, detail)


def _unjudged() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
