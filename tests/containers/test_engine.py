"""The client of the engine's API: real answers over a socket and TLS, and servers that misbehave as no real engine
can."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.plan import Endpoint
from exporter.containers import engine as engine_module
from exporter.containers.endpoint import resolve_endpoint
from exporter.containers.engine import Engine, EngineError
from tests.docker_engine import DockerEngine
from tests.probes.certificates import Authority
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def asked(endpoint: Endpoint, ask: Callable[[Engine], Coroutine[Any, Any, Any]]) -> Any:
    """Return the result of `ask` with a client that is closed afterwards and must leave nothing open."""

    async def work() -> Any:
        before = open_files()
        engine = Engine(endpoint)
        try:
            return await ask(engine)
        finally:
            await engine.close()
            await asyncio.sleep(0)  # a transport closes its socket in the next turn of the loop
            assert len(asyncio.all_tasks()) == 1
            assert open_files() <= before

    return asyncio.run(work())


def refused(endpoint: Endpoint, ask: Callable[[Engine], Coroutine[Any, Any, Any]]) -> EngineError:
    with pytest.raises(EngineError) as error:
        asked(endpoint, ask)
    return error.value


@contextlib.asynccontextmanager
async def server(path: Path, answer: bytes | None) -> AsyncIterator[None]:
    """Answer everything with these bytes and close; with None, never answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(65536)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield


def refused_by(path: Path, answer: bytes | None, seconds: float = 5.0) -> EngineError:
    """Return the error for an engine at `path` that answers like this."""

    async def work() -> EngineError:
        async with server(path, answer):
            engine = Engine(Endpoint("unix:///there", socket=str(path)))
            try:
                with pytest.raises(EngineError) as error:
                    await engine.ping(seconds)
            finally:
                await engine.close()
            return error.value

    return asyncio.run(work())


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_the_engine_says_what_it_is(docker_engine: DockerEngine) -> None:
    info = asked(resolve_endpoint(docker_engine.host), lambda engine: engine.hello())
    assert info.version == docker_engine.docker("version", "--format", "{{.Server.Version}}")
    assert info.cgroup_driver == docker_engine.docker("info", "--format", "{{.CgroupDriver}}")
    assert str(info.cgroup_version) == docker_engine.docker("info", "--format", "{{.CgroupVersion}}")
    assert not info.rootless


def test_a_refusal_carries_the_engines_words(docker_engine: DockerEngine) -> None:
    error = refused(
        resolve_endpoint(docker_engine.host), lambda engine: engine.get("/containers/nobody/json")
    )
    assert error.status == 404
    assert "No such container: nobody" in str(error)


def test_a_hanging_engine_is_cut_off(docker_engine: DockerEngine) -> None:
    async def ask(engine: Engine) -> None:
        await engine.hello()
        with docker_engine.frozen():
            for call in (engine.ping(0.2), engine.get("/containers/json", seconds=0.2)):
                with pytest.raises(EngineError, match=r"did not answer within 0\.2 s") as error:
                    await call
                assert error.value.timed_out
            with pytest.raises(EngineError, match=r"did not answer within 0\.2 s"):
                async with engine.stream("/events", seconds=0.2):
                    pass
        await engine.ping()

    began = time.monotonic()
    asked(resolve_endpoint(docker_engine.host), ask)
    assert time.monotonic() - began < 10


def test_many_calls_share_few_connections(docker_engine: DockerEngine) -> None:
    async def ask(engine: Engine) -> None:
        await engine.hello()
        before = open_files()
        await asyncio.gather(*(engine.ping(10) for _ in range(100)))
        assert open_files() < before + 10

    asked(resolve_endpoint(docker_engine.host), ask)


def test_streams_have_connections_of_their_own(docker_engine: DockerEngine) -> None:
    async def ask(engine: Engine) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(engine.stream("/events"))
            await engine.ping()

    asked(resolve_endpoint(docker_engine.host), ask)


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    assert "did not answer within 0.2 s" in str(refused_by(tmp_path / "a.sock", None, 0.2))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (http(b"<h1>nginx</h1>", "502 Bad Gateway"), "answers 502 to /_ping: '<h1>nginx</h1>'"),
        (http(b'{"message": "' + b"long " * 100 + b'"}', "500 No"), "answers 500 to /_ping: 'long"),
    ],
)
def test_servers_that_are_no_engine(tmp_path: Path, answer: bytes, complaint: str) -> None:
    error = str(refused_by(tmp_path / "a.sock", answer))
    assert complaint in error
    assert len(error) < 300


def test_an_answer_in_pieces_of_one_byte_holds_nobody_up(tmp_path: Path) -> None:
    """Measure the longest turn of the event loop in CPU time, so that other processes do not count."""
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"ApiVersion": "' + b"x" * 100_000 + b'"}')
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"

    async def work() -> float:
        turns = []

        async def beside() -> None:
            last = time.thread_time()
            while True:
                await asyncio.sleep(0)
                now = time.thread_time()
                turns.append(now - last)
                last = now

        async with server(tmp_path / "a.sock", answer):
            ticking = asyncio.create_task(beside())
            engine = Engine(Endpoint("unix:///there", socket=str(tmp_path / "a.sock")))
            with pytest.raises(EngineError, match="is not a Docker engine"):
                await engine.hello(30)
            ticking.cancel()
            await engine.close()
        return max(turns)

    assert asyncio.run(work()) < 0.1


def test_an_answer_without_end_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAX_ANSWER", 1000)
    error = refused_by(tmp_path / "a.sock", http(b"x" * 2000))
    assert "has more than 1000 bytes" in str(error)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (
            b'{"ApiVersion": "1.18"}',
            "is a Docker engine that is too old: its API is 1.18, at least 1.24 is required",
        ),
        (b'{"version": "2.42"}', "is not a Docker engine"),
        (b"[]", "is not a Docker engine"),
        (b"hello", "is not JSON"),
    ],
)
def test_what_answers_must_be_an_engine(tmp_path: Path, body: bytes, complaint: str) -> None:
    async def work() -> None:
        async with server(tmp_path / "a.sock", http(body)):
            engine = Engine(Endpoint("unix:///there", socket=str(tmp_path / "a.sock")))
            with pytest.raises(EngineError) as error:
                await engine.hello()
            assert complaint in str(error.value)
            await engine.close()

    asyncio.run(work())


def test_nobody_there(tmp_path: Path) -> None:
    for endpoint, complaint in (
        (resolve_endpoint(f"unix://{tmp_path}/none.sock"), "has no socket there"),
        (resolve_endpoint(f"tcp://127.0.0.1:{free_port()}"), "is not running"),
    ):
        assert complaint in str(refused(endpoint, lambda engine: engine.ping()))


class Secured:
    """A Docker engine that listens with TLS and requires a client certificate."""

    def __init__(self, engine: DockerEngine, authority: Authority, port: int, folder: Path) -> None:
        self.engine = engine
        self.authority = authority
        self.port = port
        self.folder = folder

    def endpoint(self, **environ: str) -> Endpoint:
        return resolve_endpoint(f"tcp://localhost:{self.port}", {"HOME": str(self.folder), **environ})


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with tempfile.TemporaryDirectory(prefix="docker-") as name:
        folder, port = Path(name), free_port()
        authority = Authority(folder)
        server, client = authority.issue("localhost", "127.0.0.1"), authority.issue("client")
        certificates = folder / "certificates"
        certificates.mkdir()
        for path, link in ((authority.ca_file, "ca"), (client.cert, "cert"), (client.key, "key")):
            (certificates / f"{link}.pem").symlink_to(path)
        options = (
            *("--host", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", str(authority.ca_file)),
            *("--tlscert", str(server.cert), "--tlskey", str(server.key)),
        )
        with DockerEngine(folder, *options) as engine:
            yield Secured(engine, authority, port, folder)


def test_tls(secured: Secured) -> None:
    endpoint = secured.endpoint(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=f"{secured.folder}/certificates")

    async def ask(engine: Engine) -> None:
        assert (await engine.hello()).version
        async with engine.stream("/events"):
            assert await engine.get("/containers/json") == []

    asked(endpoint, ask)


def test_tls_without_what_the_engine_asks_for(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").symlink_to(secured.authority.ca_file)
    endpoint = secured.endpoint(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path))
    assert "over TLS" in str(refused(endpoint, lambda engine: engine.ping()))


def test_tls_of_an_engine_that_is_not_trusted(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").symlink_to(Authority(tmp_path, "Another").ca_file)
    endpoint = secured.endpoint(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path))
    error = str(refused(endpoint, lambda engine: engine.ping()))
    assert "presents a certificate that is not trusted" in error


def test_tls_files_that_cannot_be_used(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    endpoint = secured.endpoint(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path))
    assert f"cannot be used: {tmp_path}/ca.pem" in str(refused(endpoint, lambda engine: engine.ping()))


def test_no_tls_where_the_engine_wants_it(secured: Secured) -> None:
    error = str(refused(secured.endpoint(), lambda engine: engine.ping()))
    assert "HTTPS" in error or "TLS" in error
