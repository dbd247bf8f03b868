"""No peer of any protocol blocks the event loop. HTTP/1 has its own table in `test_http_limits`."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.message
import pytest
from hpack import Encoder
from hyperframe.frame import HeadersFrame

from exporter.catalog.planning.specs import Condition, DnsSpec, GrpcSpec, HttpSpec, WebSocketSpec
from exporter.probes.base import Reason
from tests.probes.dns.servers import DnsServer, framed
from tests.probes.http.http2_servers import SETTINGS, data, head, sends
from tests.probes.servers import Server, says

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.planning.specs import ProbeSpec
    from tests.probes.prober import Prober
    from tests.probes.servers import Script

HELD_SECONDS = 0.25
"""The faults that this test looks for took half a second and more."""
NAME = ".".join("a" * 126) + "."
"""The maximum number of labels of a name."""


def hints(count: int) -> list[bytes]:
    """Return interim responses of 1900 fields each, which HPACK encodes in one byte per field."""
    encoder = Encoder()
    fields = [(":status", "103"), *[("a", "b")] * 1900]
    frames = (HeadersFrame(1, encoder.encode(fields), flags=["END_HEADERS"]) for _ in range(count))
    return [frame.serialize() for frame in frames]


@dataclass
class Row:
    """The bytes of a server, the probe, and the expected result."""

    script: Script
    kind: str
    reason: Reason
    detail: str = ""


ROWS = {
    "gRPC: interim answers of many fields": Row(
        sends(SETTINGS, *hints(90)), "grpc", Reason.PROTOCOL, "not valid HTTP/2"
    ),
    "gRPC: interim answers": Row(
        sends(SETTINGS, *[head(b"\x08\x03103")] * 90), "grpc", Reason.PROTOCOL, "more than 10 interim"
    ),
    "HTTP/2: interim answers of many fields": Row(
        sends(SETTINGS, *hints(90)), "http2", Reason.PROTOCOL, "more than 10 interim"
    ),
    "HTTP/2: frames of one byte, then the end": Row(
        sends(SETTINGS, head(b"\x88"), *[data(b"x")] * 25_000, closes=True),
        "http2",
        Reason.DISCONNECT,
        "bytes of the body",
    ),
    "WebSocket: interim answers": Row(
        says(b"HTTP/1.1 100 C\r\n\r\n" * 50_000), "websocket", Reason.PROTOCOL, "more than 10 interim"
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_hostile_peer(row: Row, prober: Prober) -> None:
    with Server(row.script) as server:
        specs: dict[str, ProbeSpec] = {
            "grpc": GrpcSpec("127.0.0.1", server.port),
            "http2": HttpSpec(server.url(), http2_prior_knowledge=True),
            "websocket": WebSocketSpec(server.url(scheme="ws")),
        }
        result, held = prober.run_watched(specs[row.kind], 20)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail
    assert held < HELD_SECONDS, f"the loop was blocked for {held:.2f} s of CPU"


def test_a_dns_server_whose_answer_is_as_large_as_can_be(prober: Prober) -> None:
    """Send thousands of records, each with a name of 126 labels encoded in two bytes."""

    def reply(query: bytes, transport: str) -> Iterable[bytes]:
        question = dns.message.from_wire(query).to_wire()[12:]
        count = (65535 - 12 - len(question)) // 16
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\xc0\x00\x02\x01"
        yield framed(
            query[:2] + struct.pack("!HHHHH", 0x8180, 1, count, 0, 0) + question + record * count, transport
        )

    with DnsServer(reply) as server:
        spec = DnsSpec(
            NAME,
            server=server.address,
            transport="tcp",
            answers=(Condition("^192"), Condition("^nothing", False)),
        )
        result, held = prober.run_watched(spec, 30)
    assert result.success, result.detail
    assert float(result.facts["answer_rrs"]) > 4000
    assert held < HELD_SECONDS, f"the loop was blocked for {held:.2f} s of CPU"
