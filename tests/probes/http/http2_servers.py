"""HTTP/2 servers that misbehave on demand: scripts of a `Server`, using h2 where they follow the protocol."""

from __future__ import annotations

import contextlib
from itertools import repeat
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, SettingsFrame

from tests.probes.servers import Request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from tests.probes.certificates import Certificate
    from tests.probes.servers import Connection, Script

Fields = list[tuple[str, str]]
STATUS_200 = b"\x88"
"""HPACK encoded."""
SETTINGS = SettingsFrame(0).serialize()


def only_h2(certificate: Certificate) -> ssl.SSLContext:
    """Return a TLS context that negotiates HTTP/2 or nothing."""
    context = certificate.server_context()
    context.set_alpn_protocols(["h2"])
    return context


def serves(reply: Callable[[Request], tuple[Fields, bytes]]) -> Script:
    """Answer each request with the fields and the body that `reply` returns for it."""

    def script(connection: Connection) -> None:
        with contextlib.suppress(ProtocolError):  # the client does not speak HTTP/2
            serve(connection)

    def serve(connection: Connection) -> None:
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        h2.initiate_connection()
        connection.send(h2.data_to_send())
        head: Fields = []
        body = unsent = b""
        answered = False
        while data := connection.socket.recv(65536):
            for event in h2.receive_data(data):
                if isinstance(event, RequestReceived):
                    head = [(str(name), str(value)) for name, value in event.headers or ()]
                elif isinstance(event, DataReceived):
                    body += event.data or b""
                    h2.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                elif isinstance(event, StreamEnded):
                    fields = dict(head)
                    request = Request(fields[":method"], fields[":path"], head, body)
                    connection.note(request)
                    answer, unsent = reply(request)
                    h2.send_headers(1, answer, end_stream=not unsent)
                    answered = True
            while answered and unsent and (window := h2.local_flow_control_window(1)) > 0:
                size = min(window, h2.max_outbound_frame_size)
                h2.send_data(1, unsent[:size], end_stream=len(unsent) <= size)
                unsent = unsent[size:]
            connection.send(h2.data_to_send())

    return script


def sends(*frames: Frame | bytes, again: Iterable[Frame | bytes] = (), closes: bool = False) -> Script:
    """Answer everything with these frames, then with `again` forever."""
    start = b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames)
    flood = b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in again)

    def script(connection: Connection) -> None:
        connection.socket.recv(65536)
        connection.send(start)
        for part in repeat(flood) if flood else ():
            connection.send(part)
        if not closes:
            connection.until_closed()

    return script


def head(data: bytes = STATUS_200, *flags: str) -> HeadersFrame:
    """Return the header frame of an answer, complete unless `flags` say otherwise."""
    return HeadersFrame(1, data, flags=flags or ("END_HEADERS",))


def data(content: bytes, *flags: str) -> DataFrame:
    return DataFrame(1, content, flags=flags)


def goaway(last: int, code: int = 0) -> GoAwayFrame:
    return GoAwayFrame(0, last_stream_id=last, error_code=code)
