"""Runs in which this process could not do its part give no result about the target."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import uvloop

from exporter.catalog.planning.specs import (
    DnsSpec,
    GrpcSpec,
    HttpSpec,
    IcmpSpec,
    MongodbSpec,
    MysqlSpec,
    PostgresqlSpec,
    ProbeSpec,
    RedisSpec,
    SqliteSpec,
    TcpSpec,
    TlsSpec,
    WebSocketSpec,
)
from exporter.catalog.values import secret_text as secrets
from exporter.catalog.values.secret_text import FileReference, SecretText
from exporter.probes.base import ProbeFailure, ProbeResult, Reason, Void
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.measure import MeasuredProbe, Run
from exporter.probes.net.resolve import close_resolver
from exporter.probes.void import LOOP, void_of
from tests.probes.servers import Server, answer, answers
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FINE = answers(lambda _: answer(b"fine"))

SPECS: dict[str, ProbeSpec] = {
    "tcp": TcpSpec("127.0.0.1", 1),
    "tcp of a name": TcpSpec("localhost", 1),
    "tls": TcpSpec("127.0.0.1", 1, tls=TlsSpec()),
    "http": HttpSpec("http://127.0.0.1:1/"),
    "http of a name": HttpSpec("http://somewhere.test/"),
    "http with a secret": HttpSpec(
        "http://127.0.0.1:1/", bearer_token=SecretText((FileReference("/etc/hostname"),))
    ),
    "http through a proxy": HttpSpec("http://server.test/", proxy="http://127.0.0.1:1"),
    "websocket": WebSocketSpec("ws://127.0.0.1:1/"),
    "grpc": GrpcSpec("127.0.0.1", 1),
    "dns by udp": DnsSpec("a.test", server="127.0.0.1:1"),
    "dns by tcp": DnsSpec("a.test", server="127.0.0.1:1", transport="tcp"),
    "icmp": IcmpSpec("127.0.0.1"),
    "postgresql": PostgresqlSpec("127.0.0.1", 1, "user", "database"),
    "mysql": MysqlSpec("127.0.0.1", 1, "user"),
    "redis": RedisSpec("127.0.0.1", 1),
    "mongodb": MongodbSpec("127.0.0.1", 1),
    "sqlite": SqliteSpec("/etc/hostname"),
}


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def without_descriptors() -> Iterator[Callable[[ProbeSpec], ProbeResult]]:
    """Run a probe once normally, so that everything opened only once is open, and once without free descriptors."""

    async def runs(spec: ProbeSpec) -> ProbeResult:
        probe = compile_probe(spec, Shared())
        await probe.run(time.monotonic() + 2)
        with no_descriptor_left():
            result = await probe.run(time.monotonic() + 2)
        await close_resolver()
        return result

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield lambda spec: runner.run(runs(spec))


@pytest.mark.parametrize("name", SPECS)
def test_without_descriptors(
    name: str, without_descriptors: Callable[[ProbeSpec], ProbeResult], caplog: pytest.LogCaptureFixture
) -> None:
    result = without_descriptors(SPECS[name])
    assert (result.success, result.void) == (False, Void.DESCRIPTORS), result
    assert result.detail == "the run is void: the exporter is out of file descriptors"
    assert not result.facts
    assert LOOP.recently_short(Void.DESCRIPTORS)
    assert not caplog.records


class Scripted(MeasuredProbe):
    """A probe that does what the test says."""

    __slots__ = ("_script",)

    def __init__(self, _: ProbeSpec, script: Callable[[Run], object]) -> None:
        self._script = script

    async def ask(self, run: Run) -> None:
        done = self._script(run)
        if asyncio.iscoroutine(done):
            await done


def scripted(script: Callable[[Run], object], seconds: float = 1.0) -> ProbeResult:
    async def main() -> ProbeResult:
        LOOP.start()
        try:
            return await Scripted(TcpSpec("x", 1), script).run(time.monotonic() + seconds)
        finally:
            LOOP.stop()

    return uvloop.run(main())


def raises(error: BaseException) -> Callable[[Run], object]:
    def script(_: Run) -> None:
        raise error

    return script


def hidden(error: BaseException) -> Callable[[Run], object]:
    """Report what was caught, as a protocol module does."""

    def script(_: Run) -> None:
        try:
            raises(error)(_)
        except BaseException:  # noqa: BLE001 - a test may raise anything
            raise ProbeFailure(Reason.CONNECT, "cannot connect") from None

    return script


SHORT = [
    (OSError(24, "Too many open files"), Void.DESCRIPTORS),
    (OSError(23, "Too many open files in system"), Void.DESCRIPTORS),
    (OSError(105, "No buffer space available"), Void.MEMORY),
    (OSError(12, "Cannot allocate memory"), Void.MEMORY),
    (MemoryError(), Void.MEMORY),
    (RuntimeError("can't start new thread"), Void.THREADS),
    (ExceptionGroup("each", [OSError(111, "refused"), OSError(24, "Too many open files")]), Void.DESCRIPTORS),
]


@pytest.mark.parametrize("how", [raises, hidden])
@pytest.mark.parametrize(("error", "void"), SHORT, ids=lambda value: str(value)[:20])
def test_whatever_is_short(
    error: BaseException, void: Void, how: Callable[[BaseException], Callable[[Run], object]]
) -> None:
    assert scripted(how(error)).void is void


@pytest.mark.parametrize(
    "error", [OSError(111, "refused"), OSError(99, "no address"), RuntimeError("other"), ValueError()]
)
def test_other_failures_count(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOOP, "_short", {})
    result = scripted(hidden(error))
    assert (result.void, result.reason) == (None, Reason.CONNECT)


def held(seconds: float, then: Callable[[Run], object] = lambda _: None) -> Callable[[Run], object]:
    """Block the loop, as SIGSTOP or a busy machine does."""

    async def script(run: Run) -> None:
        await asyncio.sleep(0.01)
        time.sleep(seconds)  # noqa: ASYNC251 - this is what is tested
        then(run)

    return script


async def wait(_: Run) -> None:
    await asyncio.sleep(100)


async def hold_and_wait(run: Run) -> None:
    await asyncio.sleep(0.01)
    time.sleep(0.4)  # noqa: ASYNC251 - this is what is tested
    await wait(run)


STALLS: list[tuple[str, Callable[[Run], object], float, Void | None, Reason]] = [
    ("held past the deadline, then an answer", held(0.5), 0.2, Void.STALL, Reason.INTERNAL),
    ("held past the deadline, no answer", hold_and_wait, 0.2, Void.STALL, Reason.INTERNAL),
    ("held for half of its time", hold_and_wait, 0.8, Void.STALL, Reason.INTERNAL),
    ("held, and an answer in time", held(0.3), 5.0, None, Reason.OK),
    ("held, then reset by the peer", held(0.5, raises(ProbeFailure(Reason.DISCONNECT, "x"))), 5.0, Void.STALL,
     Reason.INTERNAL),
    ("held, then an answer that is wrong", held(0.5, raises(ProbeFailure(Reason.STATUS, "x"))), 5.0, None,
     Reason.STATUS),
    ("held past the deadline, then an answer that is wrong", held(0.5, raises(ProbeFailure(Reason.STATUS, "x"))), 0.2,
     Void.STALL, Reason.INTERNAL),
    ("held, then refused", held(0.5, raises(ProbeFailure(Reason.CONNECT, "x"))), 5.0, None, Reason.CONNECT),
    ("not held", wait, 0.3, None, Reason.TIMEOUT),
]  # fmt: skip


@pytest.mark.parametrize(("script", "seconds", "void", "reason"), [row[1:] for row in STALLS],
                         ids=[row[0] for row in STALLS])  # fmt: skip
def test_stalls(
    script: Callable[[Run], object],
    seconds: float,
    void: Void | None,
    reason: Reason,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LOOP, "_short", {})
    result = scripted(script, seconds)
    assert (result.void, result.reason) == (void, reason)


def test_a_verdict_on_what_arrived_counts_although_something_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LOOP, "_short", {})

    def script(run: Run) -> None:
        run.restart()
        LOOP.note(Void.DESCRIPTORS)
        raise ProbeFailure(Reason.STATUS, "status 503")

    assert scripted(script).reason is Reason.STATUS


def test_stalls_are_told_when_they_are_over() -> None:
    stalls: list[float] = []

    async def main() -> None:
        LOOP.start(stalls.append)
        before = LOOP.held()
        await asyncio.sleep(0.25)
        assert sum(stalls) == LOOP.held() - before
        stalls.clear()
        time.sleep(0.6)  # noqa: ASYNC251 - this is what is tested
        assert LOOP.held() - before >= 0.5, "it must count before it ends"
        await asyncio.sleep(0.05)
        LOOP.stop()

    uvloop.run(main())
    assert 0.5 <= sum(stalls) < 5


def test_the_words_of_an_unexpected_error_are_a_peers(caplog: pytest.LogCaptureFixture) -> None:
    secret = "s3" + "cret"  # a traceback would show these lines, too

    def script(run: Run) -> None:
        run.secrets.add(secret)
        try:
            raises(KeyError(f"\x9b31m the cause says {secret}"))(run)
        except KeyError:
            raise ValueError(f"\x1b[2J said {secret}" * 1000) from None

    result = scripted(script)
    assert (result.reason, result.detail) == (Reason.INTERNAL, "the exporter failed: ValueError")
    assert "in script" in caplog.text
    assert "KeyError" in caplog.text
    assert "said ***" in caplog.text
    assert not [hidden for hidden in (secret, "\x1b", "\x9b") if hidden in caplog.text]
    assert len(caplog.text) < 3000


PORTS = """
import asyncio, socket, subprocess, time
from pathlib import Path
from exporter.catalog.planning.specs import TcpSpec
from exporter.probes.compile import Shared, compile_probe
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40001")
server = socket.create_server(("127.0.0.1", 1234))
probe = lambda host, port: asyncio.run(compile_probe(TcpSpec(host, port), Shared()).run(time.monotonic() + 5))
print(probe("127.0.0.1", 1234).reason)
Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
result = probe("::1", 1234)
print(result.reason, result.detail)
clients = []
try:
    while True:
        clients.append(socket.create_connection(("127.0.0.1", 1234)))
except OSError:
    pass
for host in ("127.0.0.1", "::ffff:127.0.0.1"):
    print(probe(host, 1234).void)
"""


def test_without_local_ports() -> None:
    """Use a network namespace with two ports. A missing address of the family gives the same error, but is the
    target's fault."""
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("cannot create a network namespace here")
    command = ["unshare", "-rn", sys.executable, "-c", PORTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [
        "ok",
        "connect cannot connect to [::1]:1234: Cannot assign requested address",
        "ports",
        "ports",
    ], done.stderr


def test_a_dead_disk_holds_up_the_probes_that_need_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that each ends at its own deadline, with one thread per file however often it is probed."""
    go = threading.Event()
    reads: list[str] = []

    def read(path: str, _: int) -> bytes:
        reads.append(path)
        if path.endswith("dead"):
            go.wait()
        return b"token"

    monkeypatch.setattr(secrets, "read_regular", read)
    dead, alive = (SecretText((FileReference(str(tmp_path / name)),)) for name in ("dead", "alive"))

    async def main(url: str) -> None:
        probes = {
            secret: compile_probe(HttpSpec(url, bearer_token=secret), Shared()) for secret in (dead, alive)
        }
        for _ in range(3):
            began = time.monotonic()
            hung = [asyncio.create_task(probes[dead].run(began + 0.2)) for _ in range(20)]
            assert (await probes[alive].run(began + 5)).success
            for result in await asyncio.gather(*hung):
                assert result.reason is Reason.SECRET
                assert "dead cannot be read: its file system has not answered for " in result.detail
        assert reads.count(str(tmp_path / "dead")) == 1
        go.set()
        assert (await probes[dead].run(time.monotonic() + 5)).success

    with Server(FINE) as server:
        uvloop.run(main(server.url()))
    until(lambda: threading.active_count() < 20, "the threads' end")


def test_on_a_loop_nothing_is_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    text = SecretText((FileReference(str(tmp_path / "token")),))

    async def read() -> str:
        return text.read()

    assert text.read() == "one"
    with pytest.raises(secrets.SecretError, match="has not been read yet"):
        asyncio.run(read())
    FileReference(str(tmp_path / "token")).look()
    (tmp_path / "token").write_text("two\n")
    assert (asyncio.run(read()), text.read()) == ("one", "two")
    secrets.forget_all_but(set())
    with pytest.raises(secrets.SecretError, match="has not been read yet"):
        asyncio.run(read())


def test_an_error_without_a_shortage_is_none() -> None:
    loop = ValueError()
    loop.__context__ = KeyError()
    loop.__context__.__context__ = loop
    assert void_of(loop) is None
