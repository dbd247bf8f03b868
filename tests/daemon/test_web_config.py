"""The web configuration: which parts of exporter-toolkit's format are accepted, and which are refused, with place and
reason."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import bcrypt
import pytest

from exporter.daemon.web.config import read_config
from tests.probes.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder)
    certificate, other = authority.issue("localhost"), authority.issue("localhost")
    certificate.cert.rename(folder / "server.pem")
    certificate.key.rename(folder / "server.key")
    other.key.rename(folder / "other.key")
    authority.ca_file.rename(folder / "ca.pem")
    (folder / "empty").touch()
    (folder / "password").write_text("secret\n")
    os.mkfifo(folder / "pipe")
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key((folder / "server.key").read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"x")
    (folder / "locked.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    return folder


TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key"
CLIENTS = f"{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"

TAKEN = {
    "nothing": "{}",
    "TLS": TLS + "}",
    "quoted": 'tls_server_config: {cert_file: "server.pem", key_file: "server.key", client_auth_type: ""}',
    "clients": CLIENTS + "}",
    "clients if they have one": f"{TLS}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem}}",
    "no clients": f"{TLS}, client_auth_type: NoClientCert}}",
    "names of clients": f"{CLIENTS}, client_allowed_sans: [a, 10.0.0.1, 'mailto:x']}}",
    "versions": f"{TLS}, min_version: TLS13, max_version: TLS13}}",
    "suites": f"{TLS}, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]}}",
    "a curve": f"{TLS}, curve_preferences: [X25519]}}",
    "another curve": f"{TLS}, curve_preferences: [CurveP384]}}",
    "the client's order": f"{TLS}, prefer_server_cipher_suites: false}}",
    "HTTP": "http_server_config: {http2: false, headers: {Strict-Transport-Security: x, X-Frame-Options: deny}}",
    "a user": f"basic_auth_users: {{a: '{HASH}', b: '{HASH.replace('$2b$', '$2y$')}'}}",
    "a file of a password": "basic_auth_users: {a: {password_file: password}}",
    "no user": "basic_auth_users: {}",
    "rate": "rate_limit: {interval: 1m0.5s, burst: 3}",
    "rate in nanoseconds": "rate_limit: {interval: 1000000000, burst: 3}",
    "no rate": "rate_limit: {interval: 0s, burst: 0}",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_what_is_taken(folder: Path, text: str) -> None:
    file = folder / "web.yml"
    file.write_text(text)
    reading = read_config(str(file))
    assert reading.problems == ()
    assert reading.settings is not None


def test_inline_certificates(folder: Path) -> None:
    def block(name: str, file: str) -> str:
        lines = (folder / file).read_text().splitlines()
        return f"  {name}: |\n" + "".join(f"    {line}\n" for line in lines)

    parts = (("cert", "server.pem"), ("key", "server.key"), ("client_ca", "ca.pem"))
    text = "".join(block(*part) for part in parts)
    file = folder / "web.yml"
    file.write_text(f"tls_server_config:\n{text}  client_auth_type: RequireAndVerifyClientCert\n")
    settings = read_config(str(file)).settings
    assert settings
    assert settings.tls
    assert settings.tls.verify_mode is ssl.CERT_REQUIRED
    assert [ca["subject"] for ca in settings.tls.get_ca_certs()]


def test_what_it_comes_to(folder: Path) -> None:
    file = folder / "web.yml"
    file.write_text(
        f"{CLIENTS}, client_allowed_sans: [a], cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], "
        "max_version: TLS12}\nhttp_server_config: {headers: {X-Frame-Options: sameorigin}}\n"
        "rate_limit: {interval: 250ms, burst: 2}\nbasic_auth_users: {a: {password_file: password}}"
    )
    settings = read_config(str(file)).settings
    assert settings
    assert settings.tls
    assert settings.tls.maximum_version is ssl.TLSVersion.TLSv1_2
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" in {cipher["name"] for cipher in settings.tls.get_ciphers()}
    assert "ECDHE-RSA-AES256-GCM-SHA384" not in {cipher["name"] for cipher in settings.tls.get_ciphers()}
    assert settings.clients == frozenset({"a"})
    assert settings.headers == ((b"x-frame-options", b"sameorigin"),)
    assert settings.rate
    assert settings.rate.limit == (0.25, 2)
    assert [settings.rate.take() for _ in range(3)] == [True, True, False]


REFUSED = {
    "empty": ("", 1, "is empty"),
    "a list": ("[a]", 1, "is not a mapping"),
    "not YAML": ("a: [\n", 2, "is not YAML"),
    "unknown section": ("tls_config: {}", 1, 'tls_config: unknown key; did you mean "tls_server_config"?'),
    "unknown key": (f"{TLS}, cret: x}}", 1, "tls_server_config.cret: unknown key"),
    "a key twice": (f"{TLS}, key_file: server.key}}", 1, "duplicate key"),
    "a text for a mapping": ("basic_auth_users: x", 1, "expected a mapping, found text"),
    "no certificate": ("tls_server_config: {min_version: TLS12}", 1, "TLS needs one of cert_file and cert"),
    "nothing of TLS": ("tls_server_config:", 1, "TLS needs one of cert_file and cert"),
    "no key": ("tls_server_config: {cert_file: server.pem}", 1, "TLS needs one of key_file and key"),
    "both": (f"{TLS}, cert: x}}", 1, "TLS needs only one of cert_file and cert"),
    "missing file": (
        "tls_server_config: {cert_file: none, key_file: server.key}",
        1,
        "none cannot be read: No such file",
    ),
    "a folder": (
        "tls_server_config: {cert_file: ., key_file: server.key}",
        1,
        "cannot be read: Is a directory",
    ),
    "a pipe": (
        "tls_server_config: {cert_file: pipe, key_file: server.key}",
        1,
        "cannot be read: it is a named pipe, not a regular file",
    ),
    "no PEM": ("tls_server_config: {cert_file: empty, key_file: server.key}", 1, "not valid PEM"),
    "another key": (
        "tls_server_config: {cert_file: server.pem, key_file: other.key}",
        1,
        "not the key of the certificate",
    ),
    "a passphrase": (
        "tls_server_config: {cert_file: server.pem, key_file: locked.key}",
        1,
        "has a passphrase",
    ),
    "old version": (f"{TLS}, min_version: TLS10}}", 1, "TLS 1.0 and 1.1 are not supported"),
    "unknown version": (f"{TLS}, min_version: TLS1.2}}", 1, 'did you mean "TLS12"?'),
    "no version": (
        f"{TLS}, min_version: TLS13, max_version: TLS12}}",
        1,
        "max_version is lower than min_version",
    ),
    "unknown suite": (f"{TLS}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}}", 1, "not a supported suite"),
    "two curves": (f"{TLS}, curve_preferences: [X25519, CurveP256]}}", 1, "only one curve can be set"),
    "unknown curve": (f"{TLS}, curve_preferences: [P256]}}", 1, 'did you mean "CurveP256"?'),
    "unverified": (
        f"{TLS}, client_auth_type: RequireAnyClientCert}}",
        1,
        "accepts unverified certificates",
    ),
    "unverified, asked for": (
        f"{TLS}, client_auth_type: RequestClientCert}}",
        1,
        "accepts unverified certificates",
    ),
    "unknown clients": (
        f"{TLS}, client_auth_type: RequireAndVerify}}",
        1,
        'did you mean "RequireAndVerifyClientCert"?',
    ),
    "an unused CA": (f"{TLS}, client_ca_file: ca.pem}}", 1, "no client is asked for a certificate"),
    "a CA that is none": (
        f"{TLS}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: password}}",
        1,
        "no certificates in PEM",
    ),
    "names without certificates": (
        f"{TLS}, client_allowed_sans: [a]}}",
        1,
        "client_auth_type: RequireAndVerifyClientCert",
    ),
    "names that need none": (
        f"{TLS}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem, client_allowed_sans: [a]}}",
        1,
        "client_allowed_sans needs client_auth_type",
    ),
    "HTTP/2": ("http_server_config: {http2: true}", 1, "HTTP/2 is not supported"),
    "no boolean": ("http_server_config: {http2: yes}", 1, "expected true or false"),
    "unknown header": ("http_server_config: {headers: {Server: x}}", 1, "unknown key"),
    "a value of a header": (
        "http_server_config: {headers: {X-Frame-Options: maybe}}",
        1,
        "is not a value of this header",
    ),
    "two lines": ('http_server_config: {headers: {X-XSS-Protection: "a\\nb"}}', 1, "printable ASCII"),
    "no hash": ("basic_auth_users:\n  a: hunter2", 2, "not a bcrypt hash"),
    "a cut hash": (f"basic_auth_users: {{a: '{HASH[:-1]}'}}", 1, "not a bcrypt hash"),
    "another hash": ("basic_auth_users: {a: '$6$abc$def'}", 1, "not a bcrypt hash"),
    "a costly hash": (
        f"basic_auth_users: {{a: '{HASH.replace('$04$', '$20$')}'}}",
        1,
        "the cost of a bcrypt hash",
    ),
    "a colon": (f"basic_auth_users: {{'a:b': '{HASH}'}}", 1, "must not contain a colon"),
    "an empty password": ("basic_auth_users: {a: {password_file: empty}}", 1, "empty is empty"),
    "no password": ("basic_auth_users: {a: {}}", 1, "write the path of a file with the password"),
    "no duration": ("rate_limit: {interval: 5, burst: 1, x: 1}", 1, "unknown key"),
    "a word": ("rate_limit: {interval: often, burst: 1}", 1, "not a duration"),
    "no burst": ("rate_limit: {interval: 1s}", 1, "with a burst below 1 no request is ever answered"),
}


@pytest.mark.parametrize(("text", "line", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(folder: Path, text: str, line: int, sentence: str) -> None:
    file = folder / "web.yml"
    file.write_text(text)
    reading = read_config(str(file))
    assert reading.settings is None
    told = "\n".join(map(str, reading.problems))
    assert sentence in told
    assert "hunter2" not in told
    assert [problem.line for problem in reading.problems][-1] == line


def test_every_mistake_is_told_at_once(folder: Path) -> None:
    file = folder / "web.yml"
    file.write_text(f"{TLS}, min_version: x, max_version: y}}\nbasic_auth_users:\n  a: b\nrate: {{}}\n")
    lines = [str(problem).removeprefix(f"{file}:") for problem in read_config(str(file)).problems]
    assert sorted(line.split(":")[0] for line in lines) == ["1", "1", "3", "4"]
