"""Files of certificates and keys that change, break or hang while probes use them."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import HttpSpec, TlsSpec
from exporter.files import read_whole
from exporter.metrics.own import OwnMetrics
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.tls import files as tls_files
from exporter.probes.tls import handshake as tls_module
from exporter.probes.tls.handshake import TlsError, tls_file_states
from tests.probes.certificates import Authority
from tests.probes.servers import Connection, Server, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.probes.base import ProbeResult
    from tests.probes.certificates import Certificate
    from tests.probes.prober import Prober


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check files in each run."""
    monkeypatch.setattr(tls_module, "FILES_SECONDS", 0.0)
    monkeypatch.setattr(tls_module, "PATIENCE", 5.0)


class Client:
    """A client certificate in a folder, as a renewal replaces it, and a server that reports which one it saw."""

    def __init__(self, folder: Path, prober: Prober, authority: Authority, server: Certificate) -> None:
        self.cert, self.key, self.ca = (folder / name for name in ("client.pem", "client.key", "ca.pem"))
        shutil.copy(authority.ca_file, self.ca)
        self._prober = prober
        self._authority = authority
        self.install(self.issue("first"))
        context = server.server_context(client_ca=authority.ca_file)
        self.server = Server(self._script, tls=context)
        self.shown: list[str] = []

    def issue(self, name: str) -> Certificate:
        return self._authority.issue(name)

    def install(self, certificate: Certificate) -> None:
        shutil.copy(certificate.cert, self.cert)
        shutil.copy(certificate.key, self.key)

    def run(self) -> ProbeResult:
        files = {"ca_file": str(self.ca), "certificate_file": str(self.cert), "key_file": str(self.key)}
        return self._prober.run(HttpSpec(self.server.url(), tls=TlsSpec(**files)))  # type: ignore[arg-type] # texts

    def current(self) -> dict[str, bool]:
        """Return for each of the client's files whether it is in use as on disk."""
        states = tls_file_states()
        return {file.name: states[str(file)] for file in (self.ca, self.cert, self.key)}

    def _script(self, connection: Connection) -> None:
        assert isinstance(connection.socket, ssl.SSLSocket)
        subject: Any = (connection.socket.getpeercert() or {})["subject"]
        self.shown.append(subject[0][0][1])
        connection.request()
        connection.send(answer(b"fine"))


@pytest.fixture
def client(
    tmp_path: Path, prober: Prober, authority: Authority, certificate: Certificate
) -> Iterator[Client]:
    client = Client(tmp_path, prober, authority, certificate)
    with client.server:
        yield client


def check_shown(client: Client, name: str) -> None:
    result = client.run()
    assert result.success, result.detail
    assert client.shown[-1] == name


def test_a_renewed_client_certificate_is_used_without_a_reload(client: Client) -> None:
    for name in ("first", "second", "third"):
        if name != "first":
            client.install(client.issue(name))
        check_shown(client, name)
    assert client.current() == {"ca.pem": True, "client.pem": True, "client.key": True}


def test_a_half_renewed_pair_leaves_the_old_in_use(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter.probes.tls.handshake")
    check_shown(client, "first")
    second = client.issue("second")
    shutil.copy(second.cert, client.cert)
    for _ in range(3):
        check_shown(client, "first")
    assert client.current() == {"ca.pem": True, "client.pem": False, "client.key": False}
    own = OwnMetrics()
    assert f'exporter_tls_file_current{{file="{client.cert}"}} 0.0' in own.render("text").decode()
    shutil.copy(second.key, client.key)
    check_shown(client, "second")
    assert f'exporter_tls_file_current{{file="{client.cert}"}} 1.0' in own.render("text").decode()
    why = "the key does not belong to the certificate; the previous content stays in use"
    assert [record.message for record in caplog.records] == [
        f"cannot use {client.cert}, {client.key}: {why}",
        f"the TLS files on disk are in use again: {client.ca}, {client.cert}, {client.key}",
    ]


BROKEN = ["empty", "garbage", "half", "missing", "folder", "fifo", "huge", "unreadable text"]


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("which", ["cert", "key", "ca"])
def test_a_broken_file_leaves_the_old_in_use(how: str, which: str, client: Client) -> None:
    check_shown(client, "first")
    file: Path = getattr(client, which)
    whole = file.read_bytes()
    file.unlink()
    match how:
        case "empty":
            file.touch()
        case "garbage":
            file.write_bytes(os.urandom(1000))
        case "half":
            file.write_bytes(whole[: len(whole) // 2])
        case "folder":
            file.mkdir()
        case "fifo":
            os.mkfifo(file)
        case "huge":
            with file.open("wb") as sparse:
                sparse.truncate(tls_files.MAX_BYTES + 1)
        case "unreadable text":
            file.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    began = time.monotonic()
    check_shown(client, "first")
    assert time.monotonic() - began < 1
    assert tls_file_states()[str(file)] is False
    file.rmdir() if how == "folder" else file.unlink(missing_ok=True)
    file.write_bytes(whole)
    check_shown(client, "first")
    assert tls_file_states()[str(file)] is True


def test_another_authority(client: Client, tmp_path: Path) -> None:
    """Check that a probe stops trusting the server, and later trusts it again."""
    check_shown(client, "first")
    trusted = client.ca.read_bytes()
    shutil.copy(Authority(tmp_path, "Another CA").ca_file, client.ca)
    assert client.run().reason is Reason.CERTIFICATE
    client.ca.write_bytes(trusted)
    check_shown(client, "first")


class Hung:
    """A file system that does not answer for one file."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = str(file)
        self.answers = threading.Event()
        read = read_whole

        def hanging(path: str, limit: int) -> bytes:
            if path == self.file:
                self.answers.wait()
            return read(path, limit)

        monkeypatch.setattr(tls_files, "read_whole", hanging)

    def threads(self) -> int:
        return sum(thread.name == f"read {self.file}" for thread in threading.enumerate())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_files, "READ_SECONDS", 0.2)


@pytest.mark.usefixtures("quick")
def test_a_hung_file_system(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that probes continue with the old content, and only one thread is stuck, however often they run."""
    check_shown(client, "first")
    hung = Hung(client.cert, monkeypatch)
    client.install(client.issue("second"))
    for _ in range(5):
        began = time.monotonic()
        check_shown(client, "first")
        assert time.monotonic() - began < 1
        assert hung.threads() == 1
    assert tls_file_states()[str(client.cert)] is False
    hung.answers.set()
    end = time.monotonic() + 10
    while client.shown[-1] != "second":
        assert time.monotonic() < end
        assert client.run().success
    assert tls_file_states()[str(client.cert)] is True


@pytest.mark.usefixtures("quick")
def test_a_hung_file_at_load(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the load fails and the loop continues while it waits."""
    hung = Hung(authority.ca_file, monkeypatch)
    spec = HttpSpec("https://web.test/", tls=TlsSpec(ca_file=hung.file))
    beats = 0

    async def load() -> None:
        nonlocal beats
        loading = asyncio.create_task(Shared().read_files([spec]))
        while not loading.done():
            await asyncio.sleep(0.01)
            beats += 1
        await loading

    for attempt in (asyncio.run, lambda coroutine: (coroutine.close(), compile_probe(spec, Shared()))):
        with pytest.raises(TlsError, match=r"cannot read .*\.pem: its file system does not answer"):
            attempt(load())
    assert beats > 5
    assert hung.threads() == 1
    hung.answers.set()
