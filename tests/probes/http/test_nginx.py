"""HTTP and HTTPS probes of a real server. Skipped if nginx is missing, unless CI=true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import BasicAuth, Condition, HttpSpec, JsonCondition, TlsSpec
from exporter.catalog.values.secret_text import FileReference, SecretText
from exporter.probes.base import Reason
from tests.probes.http.nginx import Nginx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.probes.certificates import Authority, Certificate
    from tests.probes.prober import Prober

STATUS_UP = (JsonCondition("$.status", equals='"up"'),)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Nginx]:
    with Nginx(tmp_path_factory.mktemp("nginx"), certificate) as server:
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_http(host: str, nginx: Nginx, prober: Prober) -> None:
    result = prober.run(HttpSpec(f"http://{host}:{nginx.http}/health", json_conditions=STATUS_UP))
    assert result.success, result.detail
    assert result.facts["content_length"] == len('{"status": "up"}')
    assert set(result.phases) == {"connect", "processing", "transfer"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_https(
    method: str, nginx: Nginx, prober: Prober, authority: Authority, certificate: Certificate
) -> None:
    tls = TlsSpec(ca_file=str(authority.ca_file))
    result = prober.run(HttpSpec(f"https://127.0.0.1:{nginx.https}/health", method=method, tls=tls))
    assert result.success, result.detail
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert result.facts["tls_version"] == "TLS 1.3"
    assert set(result.phases) == {"connect", "tls", "processing", "transfer"}


def test_min_version_of_a_server_that_has_it(nginx: Nginx, prober: Prober, authority: Authority) -> None:
    tls = TlsSpec(ca_file=str(authority.ca_file), min_version="1.3")
    assert prober.run(HttpSpec(f"https://127.0.0.1:{nginx.https}/health", tls=tls)).success


def test_untrusted(nginx: Nginx, prober: Prober, certificate: Certificate) -> None:
    result = prober.run(HttpSpec(f"https://127.0.0.1:{nginx.https}/health"))
    assert result.reason is Reason.CERTIFICATE
    assert result.facts["certificate_expiry"] == certificate.not_after


def test_redirects(nginx: Nginx, prober: Prober, authority: Authority) -> None:
    tls = TlsSpec(ca_file=str(authority.ca_file))
    for path, ssl in (("/old", 0), ("/secure", 1)):
        result = prober.run(
            HttpSpec(f"http://127.0.0.1:{nginx.http}{path}", tls=tls, json_conditions=STATUS_UP)
        )
        assert result.success, result.detail
        assert result.facts["redirects"] == 1
        assert result.facts["ssl"] == ssl


def test_gzip(nginx: Nginx, prober: Prober) -> None:
    """Check a body of unknown length: nginx compresses while it sends."""
    url = f"http://127.0.0.1:{nginx.http}/health"
    result = prober.run(HttpSpec(url, compression="gzip", body_conditions=(Condition('"up"'),)))
    assert result.success, result.detail
    assert "content_length" not in result.facts
    assert result.facts["body_bytes"] == len('{"status": "up"}')


def test_file(nginx: Nginx, prober: Prober) -> None:
    url = f"http://127.0.0.1:{nginx.http}/file"
    result = prober.run(HttpSpec(url, body_conditions=(Condition(r"\A(a file of text\n){1000}\z"),)))
    assert result.success, result.detail
    assert isinstance(result.facts["last_modified"], float)
    assert prober.run(HttpSpec(url, max_body_bytes=14_999)).reason is Reason.SIZE


def test_basic_authentication(nginx: Nginx, prober: Prober, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{nginx.http}/locked"
    password = tmp_path / "password"
    auth = BasicAuth("user", SecretText((FileReference(str(password)),)))
    password.write_text("s3cret\n")
    assert prober.run(HttpSpec(url, basic_auth=auth)).success
    password.write_text("wrong\n")
    assert prober.run(HttpSpec(url, basic_auth=auth)).detail == "status 401, expected 200-299"


def test_plain_http_on_the_tls_port(nginx: Nginx, prober: Prober) -> None:
    result = prober.run(HttpSpec(f"http://127.0.0.1:{nginx.https}/health"))
    assert result.reason is Reason.STATUS
    assert result.facts["status_code"] == 400


def test_tls_on_the_plain_port(nginx: Nginx, prober: Prober) -> None:
    result = prober.run(HttpSpec(f"https://127.0.0.1:{nginx.http}/health"))
    assert result.reason is Reason.TLS
    assert "the server does not speak TLS" in result.detail


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_http2(method: str, nginx: Nginx, prober: Prober, authority: Authority) -> None:
    """Check HTTP/2 offered together with HTTP/1.1, and without TLS."""
    tls = TlsSpec(ca_file=str(authority.ca_file))
    secure = prober.run(HttpSpec(f"https://127.0.0.1:{nginx.h2}/file", method=method, tls=tls))
    plain = prober.run(
        HttpSpec(
            f"http://127.0.0.1:{nginx.h2c}/file", method=method, versions=("2",), http2_prior_knowledge=True
        )
    )
    older = prober.run(
        HttpSpec(f"https://127.0.0.1:{nginx.h2}/file", method=method, versions=("1.1",), tls=tls)
    )
    for result, version in ((secure, 2.0), (plain, 2.0), (older, 1.1)):
        assert result.success, result
        assert result.facts["version"] == version
        assert result.facts["content_length"] == 15_000
        assert result.facts["body_bytes"] == (15_000 if method == "GET" else 0)
