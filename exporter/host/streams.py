"""The standard streams of a process in a container, over the engine's single connection for them.

The request is not made by the `docker` package, which loses data that arrives together with the headers of the answer.
After the headers the engine sends frames: a byte that names the stream, three zeros, the length, the data. Everything
is limited: bytes in memory, bytes written to a file, and the total time.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from exporter.host.failures import EngineLost, NotThere, OperationError, Refused
from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEPT_BYTES = 16 * 1024 * 1024
ERROR_BYTES = 64 * 1024
_PIECE = 128 * 1024
_HEADER = 8
_HEAD_BYTES = 64 * 1024
_STDOUT, _STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class Output:
    """The output of a process. `out`: empty if it went to a file. `errors`: the end of standard error."""

    out: bytes
    errors: bytes
    size: int


class Upgraded:
    """A connection that the engine handed over to a process, and the data that came with the engine's answer."""

    def __init__(self, connection: socket.socket, begun: bytes) -> None:
        self.socket = connection
        self._begun = begun

    def receive(self, size: int, seconds: float) -> bytes:
        """Return up to `size` bytes; none at the end. Raises OSError."""
        if self._begun:
            piece, self._begun = self._begun[:size], self._begun[size:]
            return piece
        self.socket.settimeout(seconds)
        return self.socket.recv(size)


@contextmanager
def upgraded(where: str, path: str, body: object, what: str, seconds: float) -> Iterator[Upgraded]:
    """Request the streams of a process from the engine at `where` (unix:// or plain tcp://).

    Raises:
        EngineLost: The engine does not answer.
        Refused: The engine does not hand over the connection.
    """
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with contextlib.closing(_connection(where, what, seconds)) as connection:
        try:
            connection.sendall(head.encode() + data)
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = connection.recv(_PIECE)
                if not piece or len(answer) > _HEAD_BYTES:
                    raise EngineLost(
                        f"the Docker engine at {shown(where)} closed the connection during {what}"
                    )
                answer += piece
            status, _, begun = answer.partition(b"\r\n\r\n")
            found = re.match(rb"HTTP/1\.[01] ([0-9]{3})", status)
            if not found or found[1] not in (b"101", b"200"):
                raise _refusal(found[1] if found else b"", begun, what)
        except OSError as error:
            reason = f": {error.strerror.lower()}" if error.strerror else ""
            raise EngineLost(
                f"the Docker engine at {shown(where)} does not answer during {what}{reason}"
            ) from None
        yield Upgraded(connection, begun)


def _connection(where: str, what: str, seconds: float) -> socket.socket:
    scheme, _, address = where.partition("://")
    try:
        if scheme == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(seconds)
            connection.connect(address)
            return connection
        if scheme == "tcp":
            host, _, port = address.partition("/")[0].rpartition(":")
            return socket.create_connection((host.strip("[]"), int(port)), seconds)
    except (OSError, ValueError) as error:
        reason = f": {error.strerror.lower()}" if isinstance(error, OSError) and error.strerror else ""
        raise EngineLost(
            f"the Docker engine at {shown(where)} does not answer during {what}{reason}"
        ) from None
    raise OperationError(
        f"cannot run programs in containers through the engine at {shown(where)}; run this command on its host"
    )


def _refusal(status: bytes, begun: bytes, what: str) -> OperationError:
    try:
        said = json.loads(begun[begun.find(b"{") : begun.rfind(b"}") + 1])["message"]
    except (ValueError, KeyError, TypeError):
        said = begun.decode("utf-8", "replace").strip() or f"status {status.decode()}"
    failure = NotThere if status == b"404" else Refused
    return failure(f"the Docker engine reports an error for {what}: {shown(str(said), 500)}")


class Conversation:
    """One exchange with a process: feeds it `given`, and reads until it ends.

    `write` gets standard output piece by piece; without it, the output is kept, up to KEPT_BYTES. `limit`: maximum
    bytes of standard output.
    """

    def __init__(
        self,
        connection: Upgraded,
        what: str,
        *,
        given: bytes | IO[bytes] | None,
        write: Callable[[bytes], object] | None,
        limit: int,
        seconds: float,
    ) -> None:
        self._connection = connection
        self._what = what
        self._given = given
        self._kept = bytearray()
        self._write = write or self._kept.extend
        self._limit = limit if write else min(limit, KEPT_BYTES)
        self._end = time.monotonic() + seconds
        self._seconds = seconds
        self._fed_badly: BaseException | None = None

    def hold(self) -> Output:
        """Return the output of the process, once it closes its streams.

        Raises:
            OperationError: It takes too long or writes too much, or `write` or `given` fails.
            EngineLost: The connection is lost inside a frame.
        """
        feeder = threading.Thread(target=self._feed, daemon=True)
        feeder.start()
        errors = bytearray()
        size = 0
        while header := self._header():
            stream, left = header[0], int.from_bytes(header[4:8], "big")
            while left:
                piece = self._some(min(left, _PIECE))
                left -= len(piece)
                if stream == _STDOUT:
                    size += len(piece)
                    if size > self._limit:
                        raise OperationError(f"{self._what} wrote more than {self._limit} bytes of output")
                    self._write(piece)
                elif stream == _STDERR:
                    errors += piece
                    del errors[:-ERROR_BYTES]
        if self._fed_badly is not None:
            raise self._fed_badly
        return Output(bytes(self._kept), bytes(errors), size)

    def _feed(self) -> None:
        """Send standard input. If the process exits before it has read everything, the reader handles that."""
        connection = self._connection.socket
        try:
            if isinstance(self._given, bytes):
                connection.sendall(self._given)
            elif self._given is not None:
                while piece := self._given.read(_PIECE):
                    connection.sendall(piece)
            if self._given is not None:
                connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # the process has ended
        except BaseException as error:  # noqa: BLE001 - raised by hold(), in the caller's thread
            self._fed_badly = error
            # Close the connection, so that partial input does not look complete.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _header(self) -> bytes:
        """Return the next frame's header, or an empty text at the end."""
        header = b""
        while len(header) < _HEADER:
            piece = self._receive(_HEADER - len(header))
            if not piece and header:
                raise self._cut_off()
            if not piece:
                break
            header += piece
        return header

    def _some(self, size: int) -> bytes:
        piece = self._receive(size)
        if not piece:
            raise self._cut_off()
        return piece

    def _receive(self, size: int) -> bytes:
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._too_slow()
        try:
            return self._connection.receive(size, left)
        except TimeoutError:
            raise self._too_slow() from None
        except OSError:
            raise self._cut_off() from None

    def _too_slow(self) -> OperationError:
        return OperationError(f"{self._what} did not finish within {self._seconds:.0f} s")

    def _cut_off(self) -> BaseException:
        return self._fed_badly or EngineLost(
            f"the connection to the Docker engine was lost during {self._what}"
        )
