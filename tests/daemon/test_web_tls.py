"""TLS, client certificates and logins of the daemon's web server, with files that change while it runs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import operator
import os
import shutil
import socket
import ssl
import statistics
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import bcrypt
import psutil
import pytest

from exporter.catalog.reading.problems import CatalogError
from exporter.daemon.web import login
from exporter.daemon.web.config_watch import WebConfig
from tests.daemon.web_client import BIG, exchange, get, request, served
from tests.probes.certificates import Authority
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.daemon.web.settings import Settings
    from tests.daemon.web_client import Served

PASSWORD = "correct horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(6)).decode()
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key"


class Gauge:
    def __init__(self) -> None:
        self.value = -1.0

    def set(self, value: float) -> None:
        self.value = value


class Watched:
    """A watched web configuration, in a thread."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.gauge = Gauge()
        self.write(text)
        self.config = WebConfig(str(folder / "web.yml"), self.gauge)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._watch)
        self._task: asyncio.Task[None]
        self._thread.start()

    def _watch(self) -> None:
        self._task = self._loop.create_task(self.config.watch())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    def write(self, text: str) -> None:
        new = self.folder / "web.yml.new"
        new.write_text(text)
        new.rename(self.folder / "web.yml")

    def settings(self) -> Settings:
        return self.config.settings

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(lambda: self._task.cancel())
        self._thread.join(20)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.daemon.web.config_watch.LOOK_SECONDS", 0.05)


@contextlib.contextmanager
def watched(folder: Path, text: str) -> Iterator[tuple[Served, Watched]]:
    config = Watched(folder, text)
    try:
        with served(settings=config.settings) as site:
            yield site, config
    finally:
        config.stop()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path)
    _install(authority, tmp_path)
    return authority


def _install(authority: Authority, folder: Path) -> None:
    """Replace the certificate by a new one."""
    certificate = authority.issue("localhost")
    shutil.move(certificate.key, folder / "server.key")
    shutil.move(certificate.cert, folder / "server.pem")


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.ca_file)


def presented(port: int, context: ssl.SSLContext) -> bytes:
    plain = socket.create_connection(("127.0.0.1", port), 10)
    with context.wrap_socket(plain, server_hostname="localhost") as client:
        return client.getpeercert(binary_form=True) or b""


def basic(user: str, password: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def test_https(authority: Authority, tmp_path: Path) -> None:
    with watched(tmp_path, TLS + "}") as (site, config):
        context = trusting(authority)
        context.set_alpn_protocols(["h2", "http/1.1"])
        assert get(site.port, "/big", tls=context).body == BIG
        assert get(site.port, "/small", host="any.example.com", tls=context).status == 200
        assert get(site.port, "/small").status == 0
        [reply] = exchange(site.port, request("GET /small", "X: " + "a" * 100_000), tls=context)
        assert reply.status == 431
        assert config.gauge.value == 1
        until(lambda: site.refused.get("tls") == 1, "the client without TLS to be counted")


def test_a_certificate_that_changes_is_served_without_a_restart(authority: Authority, tmp_path: Path) -> None:
    context = trusting(authority)
    with watched(tmp_path, TLS + "}") as (site, config):
        for _ in range(2):
            changed = partial(operator.ne, presented(site.port, context))
            _install(authority, tmp_path)
            until(lambda: changed(presented(site.port, context)), "the new certificate")  # noqa: B023 - called immediately
        assert config.gauge.value == 1


BROKEN = {
    "not YAML": ("a: [", "is not YAML"),
    "empty": ("", "is empty"),
    "unknown key": (TLS + ", x: y}", "unknown key"),
    "no certificate": (TLS.replace("server.pem", "gone.pem") + "}", "cannot be read"),
    "without TLS": (f"basic_auth_users: {{a: '{HASH}'}}", "TLS was configured before"),
    "without users": (f"{TLS}}}", "users were configured before"),
}


@pytest.mark.parametrize(("text", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_changes_nothing_and_says_so(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, why: str
) -> None:
    context = trusting(authority)
    good = f"{TLS}}}\nbasic_auth_users: {{a: '{HASH}'}}"
    with watched(tmp_path, good) as (site, config), caplog.at_level(logging.INFO):
        config.write(text)
        until(lambda: config.gauge.value == 0, "it to be seen")
        assert get(site.port, "/small", basic("a", PASSWORD), tls=context).status == 200
        assert get(site.port, "/small", tls=context).status == 401
        assert "the previous one stays active" in caplog.text
        assert why in caplog.text
        config.write(good.replace("a:", "b:"))
        until(lambda: config.gauge.value == 1, "the good one to be seen")
        assert get(site.port, "/small", basic("b", PASSWORD), tls=context).status == 200
        assert get(site.port, "/small", basic("a", PASSWORD), tls=context).status == 401
        assert [record.levelname for record in caplog.records if "web configuration" in record.message] == [
            "ERROR",
            "INFO",
        ]


def test_a_broken_file_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("basic_auth_users: {a: b}")
    with pytest.raises(CatalogError, match="not a bcrypt hash"):
        WebConfig(str(tmp_path / "web.yml"), Gauge())


def test_a_file_that_becomes_a_pipe_holds_nothing_up(authority: Authority, tmp_path: Path) -> None:
    with watched(tmp_path, TLS + "}") as (site, config):
        (tmp_path / "server.pem").unlink()
        os.mkfifo(tmp_path / "server.pem")
        until(lambda: config.gauge.value == 0, "it to be seen")
        assert get(site.port, "/small", tls=trusting(authority)).status == 200


CLIENTS = TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: clients.pem"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_clients_need_a_certificate_of_one_of_the_names(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    clients = Authority(tmp_path, "Clients")
    shutil.copy(clients.ca_file, tmp_path / "clients.pem")
    names = "client_allowed_sans: [prometheus.internal, '2001:db8::1']"

    def status(authority_of: Authority | None, *names: str) -> int:
        context = trusting(authority)
        context.maximum_version = version
        if authority_of is not None:
            certificate = authority_of.issue(*names)
            context.load_cert_chain(certificate.cert, certificate.key)
        try:
            return get(site.port, "/small", tls=context).status
        except OSError:
            return 0

    with watched(tmp_path, f"{CLIENTS}, {names}}}") as (site, _):
        assert status(clients, "prometheus.internal") == 200
        assert status(clients, "other", "prometheus.internal") == 200
        assert status(clients, "2001:db8::1") == 200
        assert status(clients, "other") == 0
        assert status(clients, "prometheus.internal.evil.example") == 0
        assert status(authority, "prometheus.internal") == 0  # signed by another authority
        assert status(None) == 0
        assert site.refused["tls"] == 4


def test_a_certificate_if_the_client_has_one(authority: Authority, tmp_path: Path) -> None:
    shutil.copy(authority.ca_file, tmp_path / "clients.pem")
    text = CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    with watched(tmp_path, text + "}") as (site, _):
        context = trusting(authority)
        assert get(site.port, "/small", tls=context).status == 200
        stranger = Authority(tmp_path, "Strangers").issue("x")
        context.load_cert_chain(stranger.cert, stranger.key)
        with contextlib.suppress(OSError):
            assert get(site.port, "/small", tls=context).status == 0


def test_handshakes_that_never_end_keep_nobody_out(authority: Authority, tmp_path: Path) -> None:
    process = psutil.Process()
    with watched(tmp_path, TLS + "}") as (site, _):
        context = trusting(authority)
        assert get(site.port, "/small", tls=context).status == 200
        before = process.num_fds()
        with contextlib.ExitStack() as stack:
            for sent in (b"", b"\x16", b"\x16\x03\x01\x40\x00") * 40:
                client = stack.enter_context(socket.create_connection(("127.0.0.1", site.port)))
                client.sendall(sent)
            replies = [get(site.port, "/small", tls=context) for _ in range(3)]
            assert [reply.status for reply in replies] == [200] * 3
            assert min(reply.seconds for reply in replies) < 1
        until(lambda: process.num_fds() <= before, "all descriptors to be free again")


# Logins

USERS = f"basic_auth_users: {{alice: '{HASH}', bob: {{password_file: password}}}}"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic("alice", PASSWORD), 200),
        (basic("bob", "öpen"), 200),
        (basic("bob", "öpen").replace("Basic", "basic"), 200),
        (None, 401),
        (basic("alice", "wrong"), 401),
        (basic("alice", ""), 401),
        (basic("alice", "öpen"), 401),
        (basic("bob", PASSWORD), 401),
        (basic("bob", "öpen\n"), 401),
        (basic("carol", PASSWORD), 401),
        (basic("", ""), 401),
        (basic("alice", HASH), 401),
        (basic("alice", PASSWORD + "\0"), 401),
        (basic("alice", "x" * 2000), 401),
        ("Authorization: Basic", 401),
        ("Authorization: Basic ?", 401),
        ("Authorization: Basic YWxpY2U=", 401),
        ("Authorization: Bearer x", 401),
        (f"{basic('alice', PASSWORD)}\r\n{basic('carol', 'x')}", 401),
    ],
)
def test_a_login(tmp_path: Path, header: str | None, status: int) -> None:
    (tmp_path / "password").write_text("öpen\n")
    with watched(tmp_path, USERS) as (site, _):
        for path in ("/small", "/-/healthy", "/none"):
            reply = get(site.port, path, *([header] if header else []))
            assert reply.status == (404 if (path, status) == ("/none", 200) else status)
            assert reply.headers.get("www-authenticate", "").startswith("Basic realm=") is (status == 401)


def test_a_password_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("old")
    with watched(tmp_path, USERS) as (site, _):
        assert get(site.port, "/small", basic("bob", "old")).status == 200
        (tmp_path / "password").write_text("new one")
        until(lambda: get(site.port, "/small", basic("bob", "new one")).status == 200, "the new one")
        assert get(site.port, "/small", basic("bob", "old")).status == 401


def test_a_password_counts_to_its_72nd_byte_as_everywhere(tmp_path: Path) -> None:
    long = "p" * 80
    hashed = bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()
    with watched(tmp_path, f"basic_auth_users: {{a: '{hashed}'}}") as (site, _):
        assert get(site.port, "/small", basic("a", long)).status == 200


def test_guesses_keep_nobody_out_and_are_answered_in_turn(tmp_path: Path) -> None:
    """Check that few guesses of a client run at a time; neither the loop nor known users wait for them."""
    slow = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    with watched(tmp_path, f"basic_auth_users: {{alice: '{slow}'}}") as (site, _):
        assert get(site.port, "/small", basic("alice", PASSWORD)).status == 200
        statuses: list[int] = []

        def guess(number: int) -> None:
            header = basic("alice", f"guess {number}")
            statuses.append(get(site.port, "/small", header, source="127.0.0.2").status)

        threads = [threading.Thread(target=guess, args=(number,)) for number in range(30)]
        for thread in threads:
            thread.start()
        assert get(site.port, "/small", basic("alice", PASSWORD)).seconds < 1
        for thread in threads:
            thread.join(30)
        assert set(statuses) == {401, 429}
        assert get(site.port, "/small", basic("alice", "another"), source="127.0.0.3").status == 401


def test_a_name_cannot_be_found_out_by_time(tmp_path: Path) -> None:
    slow = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(9)).decode()

    def median(user: str, site: Served) -> float:
        times = []
        for number in range(5):
            began = time.process_time()
            get(site.port, "/small", basic(user, f"guess {number}"))
            times.append(time.process_time() - began)
        return statistics.median(times)

    with watched(tmp_path, f"basic_auth_users: {{alice: '{slow}'}}") as (site, _):
        known, unknown = median("alice", site), median("carol", site)
        assert 0.5 < known / unknown < 2


def test_passwords_are_not_kept() -> None:
    """Check that only a keyed digest is kept: neither the password nor a plain hash of it."""
    keeper = login.Login()
    digest = keeper._digest(b"alice", HASH.encode(), PASSWORD.encode())
    assert login.Login()._digest(b"alice", HASH.encode(), PASSWORD.encode()) != digest
    assert PASSWORD.encode() not in digest


# Other parts of the format


def test_headers_and_rate(tmp_path: Path) -> None:
    text = (
        "http_server_config: {headers: {X-Frame-Options: sameorigin, Strict-Transport-Security: max-age=9, "
        "Content-Security-Policy: default-src https}}\nrate_limit: {interval: 1h, burst: 2}"
    )
    with watched(tmp_path, text) as (site, config):
        replies = [get(site.port, "/small"), get(site.port, "/none"), get(site.port, "/small")]
        assert [reply.status for reply in replies] == [200, 404, 429]
        for reply in replies:
            assert reply.headers["x-frame-options"] == "sameorigin"
            assert reply.headers["strict-transport-security"] == "max-age=9"
            assert reply.headers["content-security-policy"] == "default-src https"
        config.write(text.replace("burst: 2", "burst: 5"))
        until(lambda: get(site.port, "/small").status == 200, "the new limit")
