"""Many clients at once: each client is answered, whatever the others do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from exporter.daemon.web.crowd import MAX_OUTGOING_BYTES, Crowd, Stage, owner_of
from exporter.daemon.web.merged import Merged
from tests.daemon.web_client import BIG, exchange, get, request, served
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 40
HELD_SECONDS = 0.05
"""CPU seconds. A probe must start within 100 ms of its time."""
WHOLE = b"GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.contextmanager
def clients(
    port: int, count: int, sent: bytes, source: str = "127.0.0.2", buffer: int = 0
) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            if buffer:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            client.bind((source, 0))
            client.connect(("127.0.0.1", port))
            client.sendall(sent)
            opened.append(client)
        yield opened


FLOODS = {
    "nothing": b"",
    "one byte": b"G",
    "half a head": b"GET /small HTTP/1.1\r\nHost: ",
    "half a body": b"POST /change HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab",
    "idle after an answer": WHOLE,
    "never reading": b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "answers that never end": b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("sent", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize(
    "source", ["127.0.0.2", "127.0.0.1"], ids=["of another address", "of the same address"]
)
def test_a_flood_keeps_nobody_out(sent: bytes, source: str) -> None:
    with served(limit=LIMIT) as site, clients(site.port, LIMIT * 2, sent, source, buffer=4096):
        replies = [get(site.port, "/-/healthy") for _ in range(5)]
        assert [reply.status for reply in replies] == [200] * 5
        assert min(reply.seconds for reply in replies) < 1
        assert len(site.server.crowd) <= LIMIT
        assert site.refused["evicted"] >= LIMIT
        assert site.held < HELD_SECONDS


def test_another_address_keeps_its_connection_in_a_flood() -> None:
    """Check idle connections, too, although they are the oldest."""
    with served(limit=LIMIT) as site, clients(site.port, 1, WHOLE, "127.0.0.1") as [client]:
        client.settimeout(10)
        assert client.recv(65536).endswith(b"small\n")
        with clients(site.port, LIMIT * 3, b"G"):
            until(lambda: site.refused.get("evicted", 0) >= LIMIT * 2, "the flood")
            client.sendall(WHOLE)
            assert client.recv(65536).endswith(b"small\n")


def test_of_one_address_the_oldest_idle_connection_goes_first() -> None:
    with served(limit=4) as site, clients(site.port, 4, WHOLE) as opened:
        for client in opened:
            client.settimeout(10)
            client.recv(65536)
        until(lambda: len(site.server.crowd) == 4, "all to be there")
        opened[0].sendall(WHOLE)  # now the second connection is the oldest
        opened[0].recv(65536)
        with clients(site.port, 1, b""):
            assert opened[1].recv(65536) == b""
            for client in (opened[0], *opened[2:]):
                client.sendall(WHOLE)
                assert client.recv(65536).endswith(b"small\n")


def test_clients_that_never_read_cost_no_memory() -> None:
    """Let each client request a separate answer of 5 MB."""
    process = psutil.Process()
    with served() as site:
        before = process.memory_info().rss
        sent = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with clients(site.port, 300, sent, buffer=4096):
            assert len(get(site.port, "/big").body) == len(BIG)
            assert process.memory_info().rss - before < 150_000_000
            assert site.held < HELD_SECONDS


def test_heads_of_40_megabytes_hold_nothing_up() -> None:
    head = request("GET /small", "X: " + "a" * 40_000_000)
    statuses: list[int] = []

    def send(port: int) -> None:
        statuses.extend(reply.status for reply in exchange(port, head))

    with served() as site:
        threads = [threading.Thread(target=send, args=(site.port,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        assert get(site.port, "/small").status == 200
        for thread in threads:
            thread.join(30)
        assert set(statuses) == {431}
        assert site.held < HELD_SECONDS


def test_requests_without_end_hold_nothing_up() -> None:
    with served() as site, clients(site.port, 200, WHOLE * 500, buffer=4096):
        for _ in range(3):
            assert get(site.port, "/small").status == 200
        assert site.held < HELD_SECONDS


class Someone:
    def __init__(self, address: str, stage: Stage, since: float) -> None:
        self.address, self.stage, self.since = address, stage, since
        self.ended = False

    def abort(self) -> None:
        self.ended = True


def test_answers_that_nobody_takes_are_bounded() -> None:
    crowd = Crowd(limit=100)
    body = MAX_OUTGOING_BYTES // 4
    members = [Someone("a", Stage.SENDING, number) for number in range(8)]
    for member in members:
        crowd.join(member)
        crowd.hold(member, bytes(body))
    assert [member.ended for member in members] == [True] * 4 + [False] * 4
    shared = bytes(body)
    more = [Someone("b", Stage.SENDING, number) for number in range(50)]
    gone = 0
    for member in more:
        crowd.join(member)
        gone += crowd.hold(member, shared)
    assert gone == 1  # all of these share the same answer
    assert not any(member.ended for member in more)


@pytest.mark.parametrize(
    ("host", "owner"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:ffff", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_whose_an_address_is(host: str, owner: str) -> None:
    assert owner_of(host) == owner


def test_no_descriptor_is_lost() -> None:
    process = psutil.Process()
    with served(limit=LIMIT) as site:
        get(site.port, "/small")
        before = process.num_fds()
        for sent in (sent for name, sent in FLOODS.items() if name != "answers that never end"):
            with clients(site.port, LIMIT * 2, sent, buffer=4096):
                pass
        exchange(site.port, request("GET /big"))
        until(lambda: process.num_fds() <= before, "all descriptors to be free again")


# Merged work


def test_one_run_is_under_way_and_one_waits() -> None:
    async def main() -> None:
        runs: list[asyncio.Event] = []

        async def work() -> int:
            runs.append(asyncio.Event())
            number = len(runs)
            await runs[-1].wait()
            return number

        merged = Merged(work)
        first = asyncio.create_task(merged())
        await asyncio.sleep(0)
        others = [asyncio.create_task(merged()) for _ in range(300)]
        await asyncio.sleep(0)
        for other in others[:-1]:
            other.cancel()  # the client disconnected
        await asyncio.sleep(0)
        assert len(runs) == 1
        runs[0].set()
        assert await first == 1
        await _begun(runs, 2)
        late = asyncio.create_task(merged())
        await asyncio.sleep(0)
        runs[1].set()
        assert await others[-1] == 2
        await _begun(runs, 3)
        runs[2].set()
        assert await late == 3
        assert len(runs) == 3

    asyncio.run(main())


async def _begun(runs: list[asyncio.Event], count: int) -> None:
    for _ in range(100):
        if len(runs) == count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{len(runs)} runs began")


def test_a_run_that_fails_says_so_to_all_and_the_next_one_runs() -> None:
    async def main() -> None:
        outcomes = [ValueError("no"), None]

        async def work() -> str:
            await asyncio.sleep(0)
            error = outcomes.pop(0)
            if error:
                raise error
            return "good"

        merged = Merged(work)
        first, second, third = await asyncio.gather(merged(), merged(), merged(), return_exceptions=True)
        assert isinstance(first, ValueError)
        assert (second, third) == ("good", "good")
        await merged.stop()

    asyncio.run(main())
