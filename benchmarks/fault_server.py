"""Servers that each misbehave in one way. Print their URLs as one line of JSON once all listen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import struct
import sys
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
SLOW_SECONDS = 0.5
HANG_SECONDS = 60.0
BACKLOG = 4096


async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(SLOW_SECONDS)
    writer.write(OK)


async def hanging(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Send nothing until the peer gives up."""
    async with asyncio.timeout(HANG_SECONDS):
        while await reader.read(4096):
            pass


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    await writer.drain()
    await asyncio.sleep(0.01)
    # Closing a socket that does not linger sends RST instead of FIN.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send bytes that are neither HTTP nor TLS."""
    await reader.read(1)
    writer.write(bytes(range(256)) * 4)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body that exceeds every limit."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 16384)
        await writer.drain()


async def dribbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body one byte at a time."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.2)


async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Redirect between two pages forever."""
    path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
    other = b"/b" if path.endswith(b"/a") else b"/a"
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: " + other + b"\r\nContent-Length: 0\r\n\r\n")


def closing(handler: Handler) -> Handler:
    """Return the handler. Its connection is closed when the handler ends or the peer disconnects."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    return handle


async def serve(certificate: str, key: str) -> None:
    urls = {}
    servers = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain = (healthy, slow, hanging, resetting, garbage, endless, dribbling, redirecting)
    for handler in plain:
        server = await asyncio.start_server(closing(handler), "127.0.0.1", 0, backlog=BACKLOG)
        servers.append(server)
        urls[handler.__name__] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server = await asyncio.start_server(closing(healthy), "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
    servers.append(server)
    urls["untrusted"] = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    urls["not_tls"] = urls["garbage"].replace("http:", "https:")
    # Bound but not listening: no other program can take the port, and connections to it are refused.
    refusing = socket.socket()
    refusing.bind(("127.0.0.1", 0))
    urls["refusing"] = f"http://127.0.0.1:{refusing.getsockname()[1]}"
    sys.stdout.write(json.dumps(urls) + "\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    refusing.close()


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:]))
