"""Health check of the daemon on this machine, cheap enough for a container to run every few seconds."""

from __future__ import annotations

import http.client
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 5.0
MAX_CONFIG_BYTES = 1024 * 1024
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not listened on
ALIVE = {200: "healthy", 401: "healthy; it asks for a login", 429: "healthy; its rate limit is reached"}
"""A health check has no password and needs none: a daemon that asks for one is alive."""


@dataclass(frozen=True, slots=True)
class Health:
    healthy: bool
    detail: str


def quick_answer(arguments: Sequence[str]) -> Health | None:
    """Return the result for a generated health check without importing the command line's libraries. They would take
    three quarters of the time, every few seconds in every container. Return None for other arguments, which the command
    line handles.
    """
    from exporter.catalog.values.addresses import parse_listen

    listen = os.environ.get("EXPORTER_LISTEN") or None
    if len(arguments) == 2 and arguments[0] == "--listen":
        listen = arguments[1]
    elif arguments:
        return None
    try:
        address = parse_listen(listen) if listen else None
    except ValueError:
        return None
    web_config = os.environ.get("EXPORTER_WEB_CONFIG_FILE")
    return ask(
        Path(os.environ.get("EXPORTER_CONFIG") or "config.yaml"),
        os.environ.get("EXPORTER_ENVIRONMENT") or None,
        address,
        Path(web_config) if web_config else None,
    )


def ask(
    config: Path, environment: str | None, listen: tuple[str, int] | None, web_config: Path | None = None
) -> Health:
    """Request the daemon's `/-/healthy` at `listen`, or at the catalog's listen address for `environment`.

    The certificate is not verified: its name is not that of loopback, and the check only tests if the daemon is alive.
    """
    if listen is None:
        from exporter.catalog.reading.listening import read_listen
        from exporter.catalog.reading.problems import CatalogError

        try:
            listen = read_listen(config, environment)
        except CatalogError as error:
            return Health(False, str(error))
    host, port = WILDCARDS.get(listen[0], listen[0]), listen[1]
    if web_config is None:
        return _plain(host, port)
    tls, certificates = _written(web_config)
    answer = _secure(host, port, certificates=certificates is not False) if tls is not False else None
    return answer if answer is not None and (answer.healthy or tls) else _plain(host, port)


def _written(web_config: Path) -> tuple[bool | None, bool | None]:
    """Return two flags: True if the file configures TLS, and True if it requires client certificates. Both are None if
    it cannot be read, since a daemon that has read it before is still alive."""
    from exporter.catalog.reading.yaml_nodes import plain
    from exporter.catalog.reading.yaml_scalars import YamlError
    from exporter.catalog.reading.yaml_tree import parse

    try:
        root, _ = parse(read_regular(web_config, MAX_CONFIG_BYTES).decode())
    except (OSError, UnicodeDecodeError, YamlError):
        return None, None
    tls = plain(root).get("tls_server_config")
    wanted = tls.get("client_auth_type") if isinstance(tls, dict) else None
    return "tls_server_config" in plain(root), wanted == "RequireAndVerifyClientCert"


def _plain(host: str, port: int) -> Health:
    try:
        return _ask(http.client.HTTPConnection(host, port, timeout=SECONDS))
    except http.client.HTTPException:
        return Health(False, f"{host}:{port} does not speak HTTP; if it uses TLS, give its --web.config.file")
    except OSError as error:
        return _no_answer(host, port, error)


def _secure(host: str, port: int, *, certificates: bool) -> Health:
    """Check over HTTPS. A daemon that closes the connection because of a missing client certificate is alive."""
    try:
        return _ask(http.client.HTTPSConnection(host, port, timeout=SECONDS, context=_unjudged()))
    except (http.client.RemoteDisconnected, ConnectionResetError, ssl.SSLError) as error:
        if certificates and not isinstance(error, TimeoutError):
            return Health(True, "healthy; it asks for a client certificate")
        return Health(False, f"{host}:{port} does not speak HTTPS")
    except http.client.HTTPException:  # its message contains text of the peer
        return Health(False, f"{host}:{port} does not speak HTTPS")
    except OSError as error:
        return _no_answer(host, port, error)


def _no_answer(host: str, port: int, error: OSError) -> Health:
    if isinstance(error, TimeoutError):
        return Health(False, f"no answer from {host}:{port} within {SECONDS:g} s")
    return Health(False, f"no answer from {host}:{port}: {error.strerror or 'it closed the connection'}")


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
