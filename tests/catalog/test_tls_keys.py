"""TLS settings of a catalog, and the errors for settings that are not possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from tests.catalog.doors import mistakes, spec

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import HttpSpec
    from tests.catalog.doors import Write

CATALOG = """
services:
  web:
    image: web
    port: 443
    health:
      path: /
      scheme: https
      tls: %s
"""
PLACE = "config.yaml:9:%d: services.web.health.tls"


@pytest.mark.parametrize(
    ("written", "chosen"),
    [
        ("ECDHE+AESGCM:!aNULL", "ECDHE+AESGCM:!aNULL"),
        ("AES128-SHA", "AES128-SHA"),
        ("HIGH:!aNULL:!MD5:!RC4", "HIGH:!aNULL:!MD5:!RC4"),
        ("DEFAULT:@SECLEVEL=1", "DEFAULT:@SECLEVEL=1"),
        ("ALL:-RSA:+SHA1", "ALL:-RSA:+SHA1"),
        ("ECDHE-RSA-AES128-GCM-SHA256, AES256-SHA", "ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA"),
    ],
)
def test_ciphers(written: str, chosen: str, write: Write) -> None:
    path = write(CATALOG % f'{{ciphers: "{written}", max_version: "1.2"}}')
    tls = cast("HttpSpec", spec(path, "health")).tls
    assert (tls.ciphers, tls.max_version, tls.min_version) == (chosen, "1.2", None)


MISTAKES = [
    ("{ciphers: AES128-SHAA}", 13, '.ciphers: "AES128-SHAA" is no cipher that OpenSSL has here'),
    (
        '{ciphers: "ECDHE+AESGCM:AES128-SHAA"}',
        13,
        '.ciphers: "AES128-SHAA" is no cipher that OpenSSL has here',
    ),
    ("{ciphers: TLS_AES_128_GCM_SHA256}", 13, '.ciphers: "TLS_AES_128_GCM_SHA256" belongs to TLS 1.3'),
    ('{ciphers: "AES128-SHA:!AES128-SHA"}', 13, '.ciphers: "AES128-SHA:!AES128-SHA" leaves no cipher'),
    ('{ciphers: ""}', 13, '.ciphers: "" leaves no cipher'),
    ('{ciphers: "a\\u001bb"}', 13, '.ciphers: "a\\x1bb" is no cipher'),
    ("{ciphers: 5}", 13, ".ciphers: 5 is not a list of ciphers; write one such as ECDHE+AESGCM:!aNULL"),
    ('{max_version: "1.4"}', 13, ".max_version: "),
    (
        '{max_version: "1.1"}',
        7,
        ": max_version 1.1 is below min_version 1.2, the default; write min_version too",
    ),
    (
        '{min_version: "1.3", max_version: "1.2"}',
        7,
        ": max_version 1.2 is below min_version 1.3",
    ),
    ("{server_name: a..b}", 13, '.server_name: "a..b" is not a host name or an IP address'),
]


@pytest.mark.parametrize(("written", "column", "line"), MISTAKES)
def test_mistakes(written: str, column: int, line: str, write: Write) -> None:
    [found] = mistakes(write(CATALOG % written))
    assert found.startswith(PLACE % column + line), found
