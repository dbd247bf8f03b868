"""Start of the daemon from the command line, and its stop after a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from functools import partial
from typing import TYPE_CHECKING, cast

import uvloop

from exporter.daemon.daemon import Daemon
from exporter.daemon.loading import LoadError, load_plan_apart
from exporter.daemon.stopping import Stopping
from exporter.daemon.web.listener import ListenError, address_shown, listen
from exporter.daemon.web.serving import configured, read_web_config, server_of

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from exporter.daemon.daemon import Loader
    from exporter.daemon.web.config_watch import WebConfig

__all__ = ["ListenError", "run", "serve"]

log = logging.getLogger(__name__)


def run(
    path: Path,
    environment: str | None,
    address: tuple[str, int] | None = None,
    *,
    web_config: Path | None = None,
    demo: bool = False,
) -> None:
    """Run the daemon with the catalog at `path` until SIGTERM or SIGINT, and stop within two seconds after it.

    `address` overrides the catalog's listen address. `web_config` is the file with TLS and users. With `demo`,
    simulated services are started on loopback and watched instead of the real ones.

    Raises:
        LoadError: the catalog or the web configuration cannot be used.
        ListenError: the address cannot be used.
    """
    stopping = Stopping()
    stopping.take_signals()
    try:
        uvloop.run(_main(path, environment, address, web_config, stopping, demo=demo))
    except asyncio.CancelledError:
        if not stopping.asked:
            raise
    log.info("stopped")


async def _main(
    path: Path,
    environment: str | None,
    address: tuple[str, int] | None,
    web_config: Path | None,
    stopping: Stopping,
    *,
    demo: bool,
) -> None:
    stopping.by(cast("asyncio.Task[None]", asyncio.current_task()).cancel)
    load: Loader = partial(
        load_plan_apart, path, environment, secrets=not demo
    )  # simulated services get none
    if web_config is None and not demo:
        load = configured(load)
    async with contextlib.AsyncExitStack() as stack:
        if demo:
            from exporter.demo.loading import StandInLoader

            load = stand_ins = StandInLoader(load)
            stack.push_async_callback(stand_ins.stop)
        daemon = Daemon(load)
        web = read_web_config(web_config, daemon) if web_config is not None else None
        stack.push_async_callback(daemon.stop)
        plan = await daemon.start()
        host, port = address or (plan.listen_host, plan.listen_port)
        listener = listen(host, port, or_another=demo)
        url = address_shown(listener, secure=web is not None and web.settings.tls is not None)
        log.info("serving the status page at %s and metrics at %smetrics", url, url)
        await serve(daemon, listener, stopping, web)


async def serve(
    daemon: Daemon, listener: socket.socket, stopping: Stopping, web: WebConfig | None = None
) -> None:
    """Serve a started daemon until SIGTERM or SIGINT; SIGHUP reloads."""
    server = server_of(daemon, listener, web)
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(daemon))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    stopping.by(server.stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    watching = loop.create_task(web.watch()) if web is not None else None
    await server.serve()
    for task in (*reloads, *([watching] if watching else ())):
        task.cancel()


async def _reload(daemon: Daemon) -> None:
    with contextlib.suppress(LoadError):  # logged by the daemon
        await daemon.reload()
