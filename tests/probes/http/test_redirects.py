"""Redirects: which are followed, with which method and credentials, and those that lead nowhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import BasicAuth, HttpSpec, TlsSpec
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.probes.base import Reason
from tests.probes.servers import Request, Script, Server, answer, answers, redirect, says

if TYPE_CHECKING:
    import ssl

    from tests.probes.certificates import Authority, Certificate
    from tests.probes.prober import Prober

SECRET = SecretText((EnvironmentReference("TEST_SECRET"),))


def once(status: str = "302 Found", location: str = "/end") -> Script:
    """Redirect once, then answer `fine`."""

    def reply(request: Request) -> bytes:
        return redirect(location, status) if request.path == "/" else answer(b"fine")

    return answers(reply)


def leads_to(location: str) -> Script:
    return answers(lambda _: redirect(location))


def growing(request: Request) -> bytes:
    """Redirect one path segment deeper each time, so that no URL is requested twice."""
    return redirect(request.path.rstrip("/") + "/x")


def test_followed_by_default(prober: Prober) -> None:
    with Server(once()) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.success
    assert result.facts["redirects"] == 1
    assert result.facts["status_code"] == 200
    assert [request.path for request in server.requests] == ["/", "/end"]
    assert server.connections == 2  # each hop has its own connection; the phases are added up
    assert set(result.phases) == {"connect", "processing", "transfer"}


def test_not_followed_and_judged_itself(prober: Prober) -> None:
    with Server(once()) as server:
        result = prober.run(HttpSpec(server.url(), follow_redirects=False, statuses=((302, 302),)))
    assert result.success
    assert result.facts["redirects"] == 0
    assert result.facts["status_code"] == 302


@pytest.mark.parametrize(("limit", "reason"), [(3, Reason.OK), (2, Reason.REDIRECT), (0, Reason.REDIRECT)])
def test_limit(limit: int, reason: Reason, prober: Prober) -> None:
    def three(request: Request) -> bytes:
        return answer(b"fine") if request.path == "/x/x/x" else growing(request)

    with Server(answers(three)) as server:
        result = prober.run(HttpSpec(server.url(), max_redirects=limit))
    assert result.reason is reason
    if reason is Reason.REDIRECT:
        assert result.detail == f"more than {limit} redirects"
        assert len(server.requests) == limit + 1


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        # RFC 9110 section 15.4, and the choices of browsers and curl where it leaves them open
        ("GET", "301 Moved Permanently", "GET"),
        ("HEAD", "302 Found", "HEAD"),
        ("HEAD", "303 See Other", "HEAD"),
        ("POST", "301 Moved Permanently", "GET"),
        ("POST", "302 Found", "GET"),
        ("POST", "303 See Other", "GET"),
        ("PUT", "303 See Other", "GET"),
        ("POST", "307 Temporary Redirect", "POST"),
        ("POST", "308 Permanent Redirect", "POST"),
        ("DELETE", "308 Permanent Redirect", "DELETE"),
    ],
)
def test_method_and_body(method: str, status: str, then: str, prober: Prober) -> None:
    body = "question" if method in ("POST", "PUT") else None
    with Server(once(status)) as server:
        result = prober.run(HttpSpec(server.url(), method=method, body=body))
    assert result.success
    assert server.requests[1].method == then
    assert server.requests[1].body == (b"question" if then == "POST" else b"")


def test_form_that_leads_back_to_itself(prober: Prober) -> None:
    """Answer a POST with a redirect to a GET of the same URL: a common pattern, not a loop."""

    def reply(request: Request) -> bytes:
        return redirect("/", "303 See Other") if request.method == "POST" else answer(b"fine")

    with Server(answers(reply)) as server:
        result = prober.run(HttpSpec(server.url(), method="POST", body="question"))
    assert result.success


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("end?x=1", "/a/end?x=1"),
        ("../end", "/end"),
        ("?x=1", "/a/start?x=1"),
        ("/end#part", "/end"),
        ("/with space", "/with%20space"),
        ("/already%20quoted", "/already%20quoted"),
        ("/caf\u00c3\u00a9", "/caf%C3%A9"),  # UTF-8 as it is on the wire
    ],
)
def test_forms_of_location(location: str, path: str, prober: Prober) -> None:
    def reply(request: Request) -> bytes:
        return redirect(location) if request.path == "/a/start" else answer(b"fine")

    with Server(answers(reply)) as server:
        result = prober.run(HttpSpec(server.url("/a/start")))
    assert result.success, result.detail
    assert server.requests[1].path == path


def test_to_another_scheme(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    with (
        Server(answers(lambda _: answer(b"fine")), tls=certificate.server_context()) as secure,
        Server(leads_to(secure.url())) as plain,
    ):
        result = prober.run(HttpSpec(plain.url(), tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.success, result.detail
    assert result.facts["ssl"] == 1
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert set(result.phases) == {"connect", "tls", "processing", "transfer"}


def test_to_an_untrusted_host(prober: Prober, certificate: Certificate) -> None:
    with (
        Server(answers(lambda _: answer(b"fine")), tls=certificate.server_context()) as secure,
        Server(leads_to(secure.url())) as plain,
    ):
        result = prober.run(HttpSpec(plain.url()))
    assert result.reason is Reason.CERTIFICATE
    assert "status_code" not in result.facts  # not that of the first response
    assert result.facts["certificate_expiry"] == certificate.not_after


def test_credentials_stay_with_their_origin(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "s3cret")
    with Server(answers(lambda _: answer(b"fine"))) as other, Server(once(location=other.url())) as server:
        spec = HttpSpec(
            server.url(),
            basic_auth=BasicAuth("user", SECRET),
            headers=(("X-Token", SECRET), ("Cookie", "session=1"), ("Host", "virtual"), ("X-Plain", "yes")),
        )
        result = prober.run(spec)
    assert result.success
    first, second = server.requests[0], other.requests[0]
    assert first.header("authorization") == "Basic dXNlcjpzM2NyZXQ="
    assert first.header("x-token") == "s3cret"
    assert first.header("host") == "virtual"
    assert second.header("authorization") is None
    assert second.header("x-token") is None
    assert second.header("cookie") is None
    assert second.header("host") == f"127.0.0.1:{other.port}"
    assert second.header("x-plain") == "yes"


def test_credentials_go_along_within_an_origin(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "s3cret")
    with Server(once()) as server:
        prober.run(HttpSpec(server.url(), bearer_token=SECRET))
    assert [request.header("authorization") for request in server.requests] == ["Bearer s3cret"] * 2


@pytest.mark.parametrize(
    ("secure_first", "secure_then", "host", "kept"),
    [
        (False, True, "127.0.0.1", True),
        (False, False, "127.0.0.1", False),
        (True, True, "127.0.0.1", False),
        (True, False, "127.0.0.1", False),
        (False, True, "localhost", False),
        (False, False, "localhost", False),
    ],
    ids=[
        "to-https",
        "another-port",
        "https-another-port",
        "to-http",
        "https-of-another-host",
        "another-host",
    ],
)
def test_credentials_of_another_origin(
    secure_first: bool,
    secure_then: bool,
    host: str,
    kept: bool,
    prober: Prober,
    authority: Authority,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Check that they are kept for https on the same host; if they are dropped, the detail says so."""
    monkeypatch.setenv("TEST_SECRET", "s3cret")

    def locked(request: Request) -> bytes:
        return answer(b"fine", status="200 OK" if request.header("authorization") else "401 Unauthorized")

    def tls(secure: bool) -> ssl.SSLContext | None:
        return certificate.server_context() if secure else None

    with Server(answers(locked), tls=tls(secure_then)) as last:
        target = last.url("/end", host=host)
        with Server(leads_to(target), tls=tls(secure_first)) as first:
            auth = BasicAuth("user", SECRET)
            trusted = TlsSpec(ca_file=str(authority.ca_file))
            result = prober.run(HttpSpec(first.url(), basic_auth=auth, tls=trusted, ip_protocol="ip4"))
    assert last.requests[0].header("authorization") == ("Basic dXNlcjpzM2NyZXQ=" if kept else None)
    assert result.success is kept
    if not kept:
        assert result.detail == (
            f"status 401, expected 200-299; '{target.removesuffix('/end')}' got no credentials: after a redirect they"
            " are sent only to the same origin, or to https on the same host"
        )


def test_status_401_without_credentials_to_withhold(prober: Prober) -> None:
    with Server(answers(lambda _: answer(status="401 No"))) as last, Server(leads_to(last.url())) as first:
        result = prober.run(HttpSpec(first.url()))
    assert result.detail == "status 401, expected 200-299"


def test_secret_body_goes_to_no_other_origin(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "s3cret")
    with (
        Server(answers(lambda _: answer(b"fine"))) as other,
        Server(once("307 Temporary Redirect", other.url())) as server,
    ):
        result = prober.run(HttpSpec(server.url(), method="POST", body=SECRET))
    assert result.reason is Reason.REDIRECT
    assert "s3cret" not in result.detail
    assert not other.requests


NOWHERE = [
    pytest.param(leads_to("/"), Reason.REDIRECT, "loop: 'http://127.0.0.1:", id="to-itself"),
    pytest.param(answers(growing), Reason.REDIRECT, "more than 10 redirects", id="without-end"),
    pytest.param(
        says(answer(status="302 Found")), Reason.REDIRECT, "302 without a Location", id="no-location"
    ),
    pytest.param(leads_to("mailto:a@example.com"), Reason.REDIRECT, "scheme is neither", id="mailbox"),
    pytest.param(leads_to("https:///path"), Reason.REDIRECT, "no host", id="no-host"),
    pytest.param(leads_to("http://127.0.0.1:99999/"), Reason.REDIRECT, "(?i)port", id="bad-port"),
    pytest.param(leads_to("http://[::1"), Reason.REDIRECT, "(?i)url", id="half-an-address"),
    pytest.param(
        leads_to("http://127.0.0.1:1/"), Reason.CONNECT, "127.0.0.1:1: Connection refused", id="refused"
    ),
    pytest.param(leads_to("http://no-host.invalid/"), Reason.RESOLVE, "cannot resolve no-host", id="no-name"),
    pytest.param(
        leads_to(f"http://{'x' * 64}.invalid/"), Reason.REDIRECT, "63 between two dots", id="label-too-long"
    ),
    pytest.param(leads_to("https://a..b/"), Reason.REDIRECT, "nothing between two dots", id="empty-label"),
    pytest.param(leads_to("http://a%00b/"), Reason.REDIRECT, "a name holds letters", id="not-a-name"),
    pytest.param(leads_to("http://\u00c3\u00a9..x/"), Reason.REDIRECT, "redirect to", id="not-an-idn"),
]


@pytest.mark.parametrize(("script", "reason", "detail"), NOWHERE)
@pytest.mark.usefixtures("name_server")
def test_nowhere(script: Script, reason: Reason, detail: str, prober: Prober) -> None:
    with Server(script) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.reason is reason, result.detail
    assert re.search(detail, result.detail), result.detail
    assert set(result.phases) - {"resolve"} == {"connect", "processing", "transfer"}
