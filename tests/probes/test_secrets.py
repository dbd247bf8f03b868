"""Secrets in requests: read for each run, and never shown."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import BasicAuth, Condition, HeaderCondition, HttpSpec, TlsSpec
from exporter.catalog.values.secret_text import (
    MAX_SECRET_BYTES,
    EnvironmentReference,
    FileReference,
    SecretError,
    SecretText,
)
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from tests.probes.servers import Request, Server, answer, answers, redirect, says_and_closes, silence

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.certificates import Authority
    from tests.probes.net.name_server import NameServer
    from tests.probes.prober import Prober

VALUE = "s3cret-v4lue"
FROM_ENVIRONMENT = SecretText((EnvironmentReference("TEST_SECRET"),))
FINE = answers(lambda _: answer(b"fine"))

PLACES: list[tuple[str, dict[str, Any], str, str]] = [
    ("bearer token", {"bearer_token": FROM_ENVIRONMENT}, "authorization", f"Bearer {VALUE}"),
    (
        "password",
        {"basic_auth": BasicAuth("j\u00f6rg", FROM_ENVIRONMENT)},
        "authorization",
        "Basic asO2cmc6czNjcmV0LXY0bHVl",
    ),
    ("header", {"headers": (("X-Key", FROM_ENVIRONMENT),)}, "x-key", VALUE),
    (
        "part of a header",
        {"headers": (("X-Key", SecretText(("key=", *FROM_ENVIRONMENT.parts, ";v=1"))),)},
        "x-key",
        f"key={VALUE};v=1",
    ),
]


@pytest.mark.parametrize(("where", "header", "sent"), [pytest.param(*row[1:], id=row[0]) for row in PLACES])
def test_places(
    where: dict[str, Any], header: str, sent: str, prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SECRET", VALUE)
    with Server(FINE) as server:
        assert prober.run(HttpSpec(server.url(), **where)).success
    assert server.requests[0].header(header) == sent


def test_body(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", VALUE)
    with Server(FINE) as server:
        assert prober.run(HttpSpec(server.url(), method="POST", body=FROM_ENVIRONMENT)).success
    assert server.requests[0].body == VALUE.encode()


def test_rotated_between_runs(prober: Prober, tmp_path: Path) -> None:
    """Check that a rewritten file is used from the next run on, without a reload."""
    file = tmp_path / "token"
    with Server(FINE) as server:
        spec = HttpSpec(server.url(), bearer_token=SecretText((FileReference(str(file)),)))
        file.write_text("one\n")
        assert prober.run(spec).success
        file.write_text("two\r\n")
        assert prober.run(spec).success
        file.unlink()
        result = prober.run(spec)
        assert result.reason is Reason.SECRET
        assert result.detail == f"secret file {file} cannot be read: No such file or directory"
        assert not result.phases  # nothing was sent
    assert [request.header("authorization") for request in server.requests] == ["Bearer one", "Bearer two"]


def test_variable_that_is_not_set(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_SECRET", raising=False)
    result = prober.run(HttpSpec("http://127.0.0.1:1/", bearer_token=FROM_ENVIRONMENT))
    assert result.reason is Reason.SECRET
    assert result.detail == "environment variable TEST_SECRET is not set"


@pytest.mark.parametrize("value", ["one\r\nX-Injected: yes", "one\ntwo", "one\0two"])
def test_value_that_would_break_the_request(value: str, prober: Prober, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(value.encode())
    token = SecretText((FileReference(str(tmp_path / "token")),))
    with Server(FINE) as server:
        result = prober.run(HttpSpec(server.url(), bearer_token=token))
    assert result.reason is Reason.SECRET
    assert result.detail == "the value of the header Authorization holds a line break"
    assert not server.requests


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"\xff\xfe", "is not UTF-8 text"), (b"x" * (MAX_SECRET_BYTES + 1), "is larger than 65536 bytes")],
)
def test_file_that_is_no_secret(content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(SecretError, match=complaint):
        SecretText((FileReference(str(tmp_path / "token")),)).read()


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="Is a directory"):
        SecretText((FileReference(str(tmp_path)),)).read()


def echo(request: Request) -> bytes:
    """Echo the request, as a careless server does."""
    said = (request.header("authorization") or "").removeprefix("Bearer ")
    return answer(said.encode(), f"X-Echo: {said}")


def loop(request: Request) -> bytes:
    return redirect(f"ftp://host/{request.header('authorization')}")


@pytest.mark.parametrize(
    ("reply", "conditions"),
    [
        (echo, {"header_conditions": (HeaderCondition("X-Echo", "never"),)}),
        (echo, {"body_conditions": (Condition("never"),)}),
        (loop, {}),
    ],
)
def test_shown_nowhere(
    reply: Any,
    conditions: dict[str, Any],
    prober: Prober,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Check the detail of a failure, also if the server repeats the secret, and logs, `repr` and pickles."""
    monkeypatch.setenv("TEST_SECRET", VALUE)
    caplog.set_level(logging.DEBUG)
    with Server(answers(reply)) as server:
        spec = HttpSpec(server.url(), bearer_token=FROM_ENVIRONMENT, **conditions)
        result = prober.run(spec)
    assert VALUE in (server.requests[0].header("authorization") or "")
    assert not result.success
    shown = [result.detail, repr(result), repr(spec), repr(compile_probe(spec, Shared())), caplog.text]
    assert not any(VALUE in text for text in shown)
    assert VALUE.encode() not in pickle.dumps(spec)


MARK = "\x9b31mM\u0416ARK" + VALUE
"""Text that a hostile server sends everywhere: a control sequence, letters, and the secret that it was sent."""
RAW = MARK.encode("utf-8")


def places(port: int) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Return the places where a server can send it, and what makes a detail repeat it."""
    fine = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    found = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
    url = b"http://127.0.0.1:%d/" % port
    return {
        "status line": (b"HTTP/1.1 2%s\r\n\r\n" % RAW, {}),
        "before HTTP": (RAW + b"\r\n\r\n", {}),
        "header line": (fine + RAW + b"\r\n\r\n", {}),
        "header": (
            fine + b"X-Echo: " + RAW + b"\r\n\r\n",
            {"header_conditions": (HeaderCondition("X-Echo", "no"),)},
        ),
        "content encoding": (fine + b"Content-Encoding: " + RAW + b"\r\n\r\n", {"compression": "gzip"}),
        "encoding that is read": (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Encoding: " + RAW + b"\r\n\r\nx",
            {"body_conditions": (Condition("x"),)},
        ),
        "content length": (b"HTTP/1.1 200 OK\r\nContent-Length: " + RAW + b"\r\n\r\n", {}),
        "transfer encoding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + RAW + b"\r\n\r\n", {}),
        "chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + RAW + b"\r\n", {}),
        "scheme": (found + RAW + b"://x/\r\n\r\n", {}),
        "host": (found + b"http://" + RAW + b"/\r\n\r\n", {}),
        "host that can be": (found + b"http://%s.invalid/\r\n\r\n" % VALUE.encode(), {}),
        "host that refuses": (found + b"http://%s.test:1/\r\n\r\n" % VALUE.encode(), {}),
        "half an address": (found + b"http://[" + RAW + b"/\r\n\r\n", {}),
        "port": (found + b"http://x:" + RAW + b"/\r\n\r\n", {}),
        "path of a loop": (found + url + b"?" + RAW + b"\r\n\r\n", {}),
    }


@pytest.mark.parametrize("place", places(0))
@pytest.mark.usefixtures("name_server")
def test_marker_in_every_place(place: str, prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", VALUE)

    def script(connection: Any) -> None:
        connection.request()
        connection.send(places(server.port)[place][0])
        connection.until_closed()

    with Server(script) as server:
        result = prober.run(
            HttpSpec(server.url(), bearer_token=FROM_ENVIRONMENT, **places(server.port)[place][1]), 2
        )
    assert not result.success
    assert result.detail.isprintable(), result.detail
    assert VALUE not in result.detail
    assert len(result.detail) < 400


def test_time_out_at_a_host_that_holds_a_secret(
    prober: Prober, monkeypatch: pytest.MonkeyPatch, name_server: NameServer
) -> None:
    monkeypatch.setenv("TEST_SECRET", VALUE)
    with Server(silence) as silent:
        name_server.names[f"{VALUE}.test"] = ("127.0.0.1",)
        leads = redirect(f"http://{VALUE}.test:{silent.port}/")
        with Server(answers(lambda _: leads)) as server:
            result = prober.run(HttpSpec(server.url(), bearer_token=FROM_ENVIRONMENT), 0.5)
    assert result.reason is Reason.TIMEOUT
    assert VALUE not in result.detail


def test_host_in_a_redirect_is_in_lower_case(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "S3cret-V4LUE")
    with Server(answers(lambda _: redirect("http://S3cret-V4LUE.test:1/"))) as server:
        result = prober.run(HttpSpec(server.url(), bearer_token=FROM_ENVIRONMENT), 2)
    assert not result.success
    assert VALUE not in result.detail.lower()


@pytest.mark.parametrize(
    "head", ["Content-Length: {}", "Transfer-Encoding: {}", "Content-Encoding: {}", "X-{}: x"]
)
def test_header_that_repeats_a_secret_in_utf8(
    head: str, prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SECRET", "äöüß-ÄÖÜ-123")
    said = f"HTTP/1.1 200 OK\r\n{head.format('äöüß-ÄÖÜ-123')}\r\n\r\nx".encode()
    with Server(says_and_closes(said)) as server:
        spec = HttpSpec(server.url(), bearer_token=FROM_ENVIRONMENT, body_conditions=(Condition("x"),))
        result = prober.run(spec, 2)
    assert not result.success
    assert "***" in result.detail


def test_variable_that_is_not_text(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "caf\udce9")
    result = prober.run(HttpSpec("http://127.0.0.1:1/", headers=(("X-Key", FROM_ENVIRONMENT),)))
    assert result.reason is Reason.SECRET
    assert result.detail == "environment variable TEST_SECRET is not UTF-8 text"


def test_certificate_that_repeats_a_secret(
    prober: Prober, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check a certificate whose names become labels: a server can know the secret from an earlier run."""
    monkeypatch.setenv("TEST_SECRET", VALUE)
    trust = TlsSpec(ca_file=str(authority.ca_file))
    for name, known in ((f"{VALUE}.test", False), ("other.test", True)):
        with Server(FINE, tls=authority.issue(name, "127.0.0.1").server_context()) as server:
            result = prober.run(HttpSpec(server.url(), bearer_token=FROM_ENVIRONMENT, tls=trust))
        assert result.success, result.detail
        assert ("certificate_names" in result.facts) is known
        assert VALUE not in str(result.facts)


def test_url(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the value is sent and the reference is shown."""
    monkeypatch.setenv("TEST_SECRET", VALUE)
    with Server(answers(lambda request: redirect(request.path))) as server:
        path = SecretText(("/?token=", *FROM_ENVIRONMENT.parts))
        result = prober.run(HttpSpec(server.url("/?token=${TEST_SECRET}"), request_path=path))
    assert server.requests[0].path == f"/?token={VALUE}"
    assert result.reason is Reason.REDIRECT
    assert VALUE not in result.detail
    assert "token=***" in result.detail
