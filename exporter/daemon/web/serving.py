"""Setup of the web server for a daemon, with the web configuration if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import CatalogError
from exporter.daemon.loading import LoadError
from exporter.daemon.web.application import application
from exporter.daemon.web.gate import WebGate
from exporter.daemon.web.server import Server
from exporter.daemon.web.settings import OPEN

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from exporter.catalog.planning.plan import Plan
    from exporter.daemon.daemon import Daemon, Loader
    from exporter.daemon.web.config_watch import WebConfig


def read_web_config(path: Path, daemon: Daemon) -> WebConfig:
    """Read the file with TLS and users.

    Raises:
        LoadError: the file has mistakes; one line per problem.
    """
    # Imported here: the YAML reader uses memory that a daemon without such a file can save.
    from exporter.daemon.web.config_watch import WebConfig

    try:
        return WebConfig(str(path), daemon.own.web_config_last_reload_successful())
    except CatalogError as error:
        raise LoadError(str(error)) from None


def configured(load: Loader) -> Loader:
    """Return a loader that refuses plans with TLS or a login, for a daemon without a web configuration."""

    async def checked() -> Plan:
        plan = await load()
        if plan.web.configured:
            raise LoadError(
                "exporter.web requires TLS or a login, but the exporter runs without --web.config.file; start it with "
                "this option and the web-config.yml that exporter gen writes, or set exporter.web to null in this "
                "environment"
            )
        return plan

    return checked


def server_of(daemon: Daemon, listener: socket.socket, web: WebConfig | None) -> Server:
    """Return the server of a started daemon."""
    gate = WebGate(lambda: daemon.plan, lambda: OPEN if web is None else web.settings)
    server = Server(application(daemon), listener, gate, daemon.own.web_refused_by)
    daemon.own.web_connections.set_function(lambda: len(server.crowd))
    return server
