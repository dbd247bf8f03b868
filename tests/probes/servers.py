"""Servers that misbehave on demand, as no real server does, built on plain sockets and threads.

    with Server(says(b"HTTP/1.1 200 OK\\r\\n")) as server:     # half a header, then silence
        spec = HttpSpec(server.url())

A script is a function of one connection. It runs in its own thread, and ends when it returns or when the client
disconnects; `Server` then closes the connection. `requests` holds what clients sent.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl

Script = Callable[["Connection"], None]


@dataclass(frozen=True)
class Request:
    """A request as a client sent it. Header names are in lower case."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        values = [value for known, value in self.headers if known == name]
        assert len(values) < 2, f"header {name} was sent {len(values)} times"
        return values[0] if values else None


class Connection:
    """The server's end of one connection."""

    def __init__(self, raw: socket.socket, server: Server, number: int) -> None:
        self.socket = raw
        self.number = number
        """1 for the server's first connection."""
        self._server = server

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self) -> Request:
        """Read one complete request, and record it in the server's `requests`."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        pairs = [line.split(": ", 1) for line in lines]
        headers = [(name.lower(), value) for name, value in pairs]
        length = int(dict(headers).get("content-length", "0"))
        while len(body) < length:
            body += self._more()
        return self.note(Request(method, path, headers, body))

    def note(self, request: Request) -> Request:
        """Record a request in the server's `requests`."""
        self._server.requests.append(request)
        return request

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError
        return data

    def until_closed(self) -> None:
        """Wait for the client to disconnect."""
        while self.socket.recv(65536):
            pass

    def pause(self, seconds: float) -> None:
        """Pause, but not beyond the end of the server."""
        if self._server.stopping.wait(seconds):
            raise ConnectionResetError

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def reset(self) -> None:
        """Close with a reset (RST) instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Server:
    """A listener on `port` of `host` (0: a free one) while its context lasts. It runs `script` for each connection."""

    def __init__(
        self, script: Script, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._script = script
        self._tls = tls
        self._host = host
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(self._family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._open: set[Connection] = set()
        self._threads: list[threading.Thread] = []
        self.stopping = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[Request] = []
        self.connections = 0

    def url(self, path: str = "/", host: str | None = None, scheme: str | None = None) -> str:
        name = host or (f"[{self._host}]" if ":" in self._host else self._host)
        return f"{scheme or ('https' if self._tls else 'http')}://{name}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._listener.listen(128)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive(), "a test server's thread did not end"
        self._listener.close()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection = Connection(raw, self, self.connections)
            self._open.add(connection)
            self._start(lambda connection=connection: self._serve(connection))  # type: ignore[misc] # a default binds it

    def _serve(self, connection: Connection) -> None:
        try:
            if self._tls is not None:
                connection.start_tls(self._tls)
            self._script(connection)
        except OSError:
            pass  # the client disconnected or rejected our certificate
        finally:
            connection.socket.close()
            self._open.discard(connection)


@contextlib.contextmanager
def black_hole(host: str, port: int = 0) -> Iterator[int]:
    """Return a loopback port that neither accepts nor refuses, as behind a filter: its queue is full."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket(family))
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(3):
            filler = sockets.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname()[:2])
        yield listener.getsockname()[1]


def silence(connection: Connection) -> None:
    """Accept and send nothing."""
    connection.until_closed()


def hang_up(connection: Connection) -> None:
    """Read the request and close without an answer."""
    connection.request()


def says(*parts: bytes, pause: float = 0.0) -> Script:
    """Answer any request with `parts`, then send nothing more and keep the connection."""

    def script(connection: Connection) -> None:
        connection.request()
        for part in parts:
            connection.send(part)
            connection.pause(pause)
        connection.until_closed()

    return script


def says_and_closes(data: bytes) -> Script:
    """Answer with `data`, then close normally."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(data)
        connection.socket.shutdown(socket.SHUT_WR)
        connection.until_closed()

    return script


def says_and_resets(data: bytes) -> Script:
    """Answer with `data`, then reset after the client has received it."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(data)
        connection.pause(0.05)  # a reset discards data that the client has not read yet
        connection.reset()

    return script


def pours(start: bytes, again: bytes, pause: float = 0.0) -> Script:
    """Answer with `start`, then with `again` forever."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(start)
        for part in repeat(again):
            connection.send(part)
            if pause:
                connection.pause(pause)

    return script


def trickles(data: bytes, pause: float) -> Script:
    """Answer with `data`, one byte at a time."""
    return says(*(data[i : i + 1] for i in range(len(data))), pause=pause)


def answers(reply: Callable[[Request], bytes]) -> Script:
    """Answer each request with `reply` of it, and keep the connection, as most servers do."""

    def script(connection: Connection) -> None:
        connection.send(reply(connection.request()))
        connection.until_closed()

    return script


def answer(body: bytes = b"", *headers: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    """Return a response with a Content-Length."""
    lines = [f"HTTP/{version} {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """Return a redirect to `location`."""
    return answer(b"", f"Location: {location}", status=status)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return a chunked response."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end
