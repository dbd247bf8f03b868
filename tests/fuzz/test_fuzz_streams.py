"""Readers of conversations: lines, SMTP, MySQL, WebSockets, gRPC, DNS."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hypothesis import given

from exporter.catalog.planning.specs import MysqlSpec
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.dns.wire import answers
from exporter.probes.grpc.call import Call
from exporter.probes.http.head import HeadBudget
from exporter.probes.mysql.login import Proof
from exporter.probes.mysql.session import Opening, Session
from exporter.probes.net.stream import LineStream
from exporter.probes.stores.stream import StoreStream
from exporter.probes.tcp import smtp
from exporter.probes.websocket.frames import WebSocketStream
from tests.fuzz.feeding import Peer, read
from tests.fuzz.inputs import changed, cuts, pieces, seeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.probes.measure import Run
    from tests.fuzz.feeding import Reading


async def lines(peer: Peer, run: Run) -> object:
    stream = LineStream(run)
    peer.connect(stream)
    found = []
    while (line := await stream.line()) is not None:
        found.append(line)
    return found


async def mail(peer: Peer, run: Run) -> object:
    stream = LineStream(run)
    peer.connect(stream)
    await smtp.before_tls(stream, run)
    await smtp.after_tls(stream, run)
    return None


async def websocket(peer: Peer, run: Run) -> object:
    stream = WebSocketStream(run)
    peer.connect(stream)
    found: list[object] = [await stream.head(HeadBudget())]
    while isinstance(message := await stream.message(), bytes):
        found.append(message)
    return [*found, message]


MYSQL = MysqlSpec("db.test", 1, "monitor", "app")


async def mysql(peer: Peer, run: Run) -> object:
    """Log in and ask three times. An error to a question is an answer."""
    stream = StoreStream(run)
    peer.connect(stream)
    opening = Opening(MYSQL, run)
    found: list[object] = [await opening.greet(stream)]
    session = Session(stream, opening, run)
    await session.log_in(MYSQL, Proof(b"secret", is_private=False))
    for _ in range(3):
        try:
            found.append(await session.ask("SELECT 1"))
        except ProbeFailure as failure:
            if failure.reason is not Reason.ANSWER:
                raise
            found.append(failure.reason)
    return found


async def grpc(peer: Peer, run: Run) -> object:
    call = Call()
    transport = peer.connect(call)
    await call.ask(transport, "/x", "localhost", [], b"", run)
    return call.answer.headers, bytes(call.answer.body)


def in_any_pieces(reader: str, reading: Reading) -> Callable[[], None]:
    """Make a test that a reader gives the same outcome for the same bytes, however they are split."""

    @given(changed(seeds(reader)), cuts)
    def test(data: bytes, sizes: list[int]) -> None:
        whole = read([data], reading)
        assert read(pieces(data, sizes), reading) == whole
        assert read(pieces(data, [1] * len(data)), reading) == whole

    return test


test_lines = in_any_pieces("lines", lines)
test_smtp = in_any_pieces("smtp", mail)
test_mysql = in_any_pieces("mysql", mysql)
test_websocket = in_any_pieces("websocket", websocket)
test_grpc = in_any_pieces("grpc", grpc)


QUERY = bytes.fromhex("1234010000010000000000000161026c6f0000010001")


@given(changed(seeds("dns")))
def test_dns(data: bytes) -> None:
    """Check that only answers to the question are read; dnspython reads them too, or they are refused."""
    import dns.exception
    import dns.message

    if not answers(data, QUERY):
        return
    with suppress(dns.exception.DNSException, ValueError):
        dns.message.from_wire(data, one_rr_per_rrset=True)
