"""Clients of the daemon's web server, well-behaved and hostile, and a server with a test application."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvloop
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.catalog.planning.plan import Plan, WebPlan
from exporter.daemon.web.gate import WebGate
from exporter.daemon.web.listener import listen
from exporter.daemon.web.server import Server
from exporter.daemon.web.settings import OPEN

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from typing import Any

    from exporter.daemon.web.settings import Settings

BIG = bytes(5_000_000)


@dataclass
class Reply:
    """A response as received; `status` is 0 if there was none."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0


def exchange(
    port: int,
    sent: bytes,
    *,
    host: str = "127.0.0.1",
    seconds: float = 15.0,
    source: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> list[Reply]:
    """Send these exact bytes and return every response until the server closes."""
    began = time.monotonic()
    address = (source, 0) if source else None
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(socket.create_connection((host, port), seconds, address))
        if tls is not None:
            client = stack.enter_context(tls.wrap_socket(client, server_hostname="localhost"))
        raw = b""
        with contextlib.suppress(OSError):  # the server may close before it has received everything
            client.sendall(sent)
        with contextlib.suppress(OSError):
            while chunk := client.recv(256 * 1024):
                raw += chunk
    return list(_replies(raw, time.monotonic() - began, no_body=sent.startswith(b"HEAD")))


def _replies(raw: bytes, seconds: float, *, no_body: bool) -> Iterator[Reply]:
    while raw:
        head, _, raw = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if no_body else int(headers.get("content-length", 0))
        yield Reply(int(first.split()[1]), headers, raw[:length], seconds)
        raw = raw[length:]


def request(line: str, *headers: str, host: str | None = "localhost") -> bytes:
    """Return a request that closes its connection."""
    lines = [
        f"{line} HTTP/1.1",
        *([f"Host: {host}"] if host is not None else []),
        "Connection: close",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def get(port: int, path: str, *headers: str, host: str | None = "localhost", **how: Any) -> Reply:
    """Return the response to a GET; an empty one if there was none."""
    return next(iter(exchange(port, request(f"GET {path}", *headers, host=host), **how)), Reply())


class Served:
    """A server in a thread. `refused` counts refusals by reason. `held`: the longest block of its loop in CPU
    seconds, so that a busy machine does not count."""

    def __init__(self, port: int, server: Server, refused: dict[str, int]) -> None:
        self.port = port
        self.server = server
        self.refused = refused
        self.held = 0.0

    async def beat(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.005)
            now = time.thread_time()
            self.held, last = max(self.held, now - last), now


@contextlib.contextmanager
def served(
    plan: WebPlan | None = None,
    settings: Callable[[], Settings] = lambda: OPEN,
    limit: int | None = None,
    application: Starlette | None = None,
) -> Iterator[Served]:
    """Serve /small, /big and /slow, which never ends; POST requests go to /change."""
    ready = threading.Event()
    running: list[Any] = []
    refused: dict[str, int] = {}
    whole = Plan("p", "e", "listened.example.org", 0, (), (), web=plan or WebPlan())

    async def main() -> None:
        listener = listen("127.0.0.1", 0)
        gate = WebGate(lambda: whole, settings)
        count = lambda reason, n: refused.__setitem__(reason, refused.get(reason, 0) + n)  # noqa: E731 - one line
        server = Server(application or _application(), listener, gate, count, limit)
        running.append(Served(listener.getsockname()[1], server, refused))
        running.append(asyncio.get_running_loop())
        ready.set()
        heart = asyncio.create_task(running[0].beat())
        await server.serve()
        heart.cancel()

    thread = threading.Thread(target=lambda: uvloop.run(main()))
    thread.start()
    ready.wait(20)
    try:
        yield running[0]
    finally:
        running[1].call_soon_threadsafe(running[0].server.stop)
        thread.join(20)
        assert not thread.is_alive()


def _application() -> Starlette:
    async def small(_: object) -> Response:
        return PlainTextResponse("small\n")

    async def big(_: object) -> Response:
        return Response(BIG)

    async def slow(_: object) -> Response:
        await asyncio.Event().wait()
        return Response()

    async def broken(_: object) -> Response:
        raise KeyError("a defect")

    return Starlette(
        routes=[
            Route("/small", small),
            Route("/-/healthy", small),
            Route("/big", big),
            Route("/slow", slow),
            Route("/broken", broken),
            Route("/change", small, methods=["POST"]),
        ]
    )
