"""Line-based conversations. No real mail server refuses, stalls and lies on demand, so these are part of the tests."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.probes.servers import Connection, Script

Step = bytes | str | ssl.SSLContext
EHLO = "EHLO [127.0.0.1]\r\n"


def converses(*steps: Step) -> Script:
    """Send bytes, wait for exactly this line (close on another), start TLS; then wait."""

    def script(connection: Connection) -> None:
        for step in steps:
            if isinstance(step, bytes):
                connection.send(step)
            elif isinstance(step, ssl.SSLContext):
                connection.start_tls(step)
            elif read_line(connection) != step:
                return
        connection.until_closed()

    return script


def read_line(connection: Connection) -> str:
    """Return one line, read byte by byte so that nothing after it is consumed."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.socket.recv(1)
        if not byte:
            raise ConnectionResetError
        line += byte
    return line.decode()


def drips(data: bytes, pause: float) -> Script:
    """Send `data` byte by byte without a request."""

    def script(connection: Connection) -> None:
        for index in range(len(data)):
            connection.send(data[index : index + 1])
            connection.pause(pause)
        connection.until_closed()

    return script


def pours_lines(line: bytes) -> Script:
    """Send `line` forever."""

    def script(connection: Connection) -> None:
        while True:
            connection.send(line * 100)

    return script


def closes(data: bytes) -> Script:
    """Send `data` and close."""

    def script(connection: Connection) -> None:
        connection.send(data)

    return script


def echoes(connection: Connection) -> None:
    """Repeat one line and close."""
    connection.send(read_line(connection).encode())


def smtp(*rest: Step) -> Script:
    """Simulate a mail server up to its answer to STARTTLS, then send `rest`."""
    return converses(
        b"220-mx.test\r\n220 ready\r\n",
        EHLO,
        b"250-mx.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n",
        "STARTTLS\r\n",
        *rest,
    )


def smtp_ending(context: ssl.SSLContext) -> tuple[Step, ...]:
    """Simulate a mail server from its answer to STARTTLS to the end."""
    return b"220 go ahead\r\n", context, EHLO, b"250 mx.test\r\n", "QUIT\r\n", b"221 bye\r\n"
