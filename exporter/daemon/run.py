"""From a command line to a running daemon, and from a signal to its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn
import uvloop

from exporter.daemon.daemon import Daemon
from exporter.daemon.loading import LoadError, load_plan_apart
from exporter.daemon.stopping import Stopping
from exporter.daemon.web import application
from exporter.probes.connect import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.daemon.daemon import Loader

MAX_CONNECTIONS = 512
"""Requests and idle connections of the web side at once; more are answered 503."""
IDLE_SECONDS = 75
"""How long a connection between two scrapes is kept: longer than the usual scrape interval."""
STOP_SECONDS = 1
"""How long answers under way may take to finish when the daemon is told to stop."""
DATE_SECONDS = 1
"""How long a Date header is good for."""
BACKLOG = 128

log = logging.getLogger(__name__)


class ListenError(Exception):
    """The web address cannot be had. One sentence."""


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers, since the daemon has more to stop than a server, and without waking up
    ten times a second to see whether it should stop: in a small daemon that was most of the work.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End `serve` once the answers under way are finished."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DATE_SECONDS):
                    await self._stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(
    path: Path,
    environment: str | None,
    address: tuple[str, int] | None = None,
    *,
    demo: bool = False,
) -> None:
    """Run the daemon on the catalog at `path` until SIGTERM or SIGINT, and end within two seconds of it.

    `address` is where to serve, if not where the catalog says. With `demo`, stand-ins for the catalog's services
    are served on loopback and watched in their place.

    Raises:
        LoadError: the catalog cannot be used.
        ListenError: the address to serve at cannot be had.
    """
    stopping = Stopping()
    stopping.take_signals()
    try:
        uvloop.run(_main(path, environment, address, stopping, demo=demo))
    except asyncio.CancelledError:
        if not stopping.asked:
            raise
    log.info("stopped")


async def _main(
    path: Path, environment: str | None, address: tuple[str, int] | None, stopping: Stopping, *, demo: bool
) -> None:
    stopping.by(cast("asyncio.Task[None]", asyncio.current_task()).cancel)
    load: Loader = partial(load_plan_apart, path, environment, secrets=not demo)  # stand-ins are sent none
    async with contextlib.AsyncExitStack() as stack:
        if demo:
            from exporter.demo.loading import StandInLoader

            load = stand_ins = StandInLoader(load)
            stack.push_async_callback(stand_ins.stop)
        daemon = Daemon(load)
        stack.push_async_callback(daemon.stop)
        plan = await daemon.start()
        host, port = address or (plan.listen_host, plan.listen_port)
        listener = listen(host, port, or_another=demo)
        url = address_shown(listener)
        log.info("serving: %s is the page, %smetrics is for Prometheus", url, url)
        await serve(daemon, listener, stopping)


async def serve(daemon: Daemon, listener: socket.socket, stopping: Stopping) -> None:
    """Serve a started daemon until SIGTERM or SIGINT; SIGHUP reloads."""
    config = uvicorn.Config(
        application(daemon),
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = Server(config)
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(daemon))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    stopping.by(server.stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    await server.serve(sockets=[listener])
    for task in reloads:
        task.cancel()


async def _reload(daemon: Daemon) -> None:
    with contextlib.suppress(LoadError):  # logged by the daemon
        await daemon.reload()


def address_shown(listener: socket.socket) -> str:
    """The address to open in a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 - shown, not listened on
    return f"http://{shown(host, port)}/"


def listen(host: str, port: int, *, or_another: bool = False) -> socket.socket:
    """A listening socket; with `or_another`, on any free port when that one is taken.

    Raises:
        ListenError: names the address and the reason.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if or_another and error.errno == errno.EADDRINUSE:
            log.warning("port %d is taken; serving on another", port)
            return listen(host, 0)
        hint = " (is another one running?)" if error.errno == errno.EADDRINUSE else ""
        raise ListenError(
            f"cannot listen on {host}:{port}: {error.strerror}{hint}; "
            "choose another address with exporter.listen in the catalog, or --listen"
        ) from None
    listener.setblocking(False)
    return listener
