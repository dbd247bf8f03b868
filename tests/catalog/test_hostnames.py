# ruff: noqa: RUF001 - these tests need letters that look like others
"""International names: how they are encoded, which are refused, and that every key of the catalog
treats them alike."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_plan
from exporter.catalog.values.hostnames import HostNameError, ascii_authority, ascii_host, tls_name
from tests.catalog.doors import mistakes

if TYPE_CHECKING:
    from tests.catalog.doors import Write

TRAVELS = [
    ("example.com", "example.com"),
    ("example.com.", "example.com."),
    ("faß.de", "xn--fa-hia.de"),  # IDNA 2003 mapped it to fass.de, which has another owner
    ("FAẞ.de", "xn--fa-hia.de"),
    ("münchen.test", "xn--mnchen-3ya.test"),
    ("MÜNCHEN.Test", "xn--mnchen-3ya.test"),
    ("mu\u0308nchen.test", "xn--mnchen-3ya.test"),
    ("münchen。test．", "xn--mnchen-3ya.test."),
    ("ｗｗｗ．example｡com", "www.example.com"),
    ("βόλος.com", "xn--nxasmm1c.com"),
    ("نامه\u200cای.com", "xn--mgba3gch31f060k.com"),  # a joiner as Persian uses it
    ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ("_dmarc.münchen.test", "_dmarc.xn--mnchen-3ya.test"),
    ("my_service", "my_service"),
    ("shop-web_1", "shop-web_1"),
    ("xn--mnchen-3ya.test", "xn--mnchen-3ya.test"),
    ("xn--ls8h.la", "xn--ls8h.la"),  # an emoji, which is accepted only in this form
    ("r3---sn-abc.test", "r3---sn-abc.test"),
    ("x" * 63 + ".test", "x" * 63 + ".test"),
    ("192.0.2.1", "192.0.2.1"),
    ("１９２．0.2.1", "192.0.2.1"),
    ("2001:db8::1", "2001:db8::1"),
    ("fe80::1%eth0", "fe80::1%eth0"),
]


@pytest.mark.parametrize(("written", "travels"), TRAVELS)
def test_what_travels(written: str, travels: str) -> None:
    assert ascii_host(written) == travels


REFUSED = [
    ("", "nothing between two dots"),
    ("a..b", "nothing between two dots"),
    (".a", "nothing between two dots"),
    ("a\u3002\u3002ü", "nothing between two dots"),
    ("x" * 64 + ".test", "63 between two dots"),
    ("ü" * 60 + ".test", "63 between two dots"),
    (".".join(["x" * 60] * 5), "at most 253 characters"),
    ("ü" * 100_000, "at most 253 characters"),
    ("a b", "a name holds letters"),
    ("a/b", "a name holds letters"),
    ("a\nb", "a name holds letters"),
    ("℀.de", "a name holds letters"),  # it maps to a/c
    ("ex%61mple.com", "a name holds letters"),
    ("☕.de", "does not allow U+2615"),
    ("a·b.de", "does not allow U+00B7"),
    ("ü\u200d.de", "does not allow U+200D"),
    ("\u202emoc.ü", "does not allow U+202E"),
    ("ü\x00.de", "does not allow U+0000"),
    ("my_größe.de", "does not allow U+005F"),
    ("ab--ü.de", "does not allow hyphens there"),
    ("-ü.de", "does not allow hyphens there"),
    ("אb.de", "both directions"),
    ("::g", "not an IPv6 address"),
    ("1:2", "not an IPv6 address"),
]


@pytest.mark.parametrize(("written", "why"), REFUSED)
def test_what_is_refused(written: str, why: str) -> None:
    with pytest.raises(HostNameError) as refusal:
        ascii_host(written)
    assert why in str(refusal.value)
    assert str(refusal.value).isascii()  # contains no text of a peer, which may come from a redirect


def test_work_is_bounded() -> None:
    """Check names that are slow to encode. They can come from redirects; older versions of `idna` needed minutes for
    them."""
    began = time.monotonic()
    for character in ("\u0660", "\u0639", "ü", "\ufdfa", "\u00ad", "\u0bb8\u0bcd"):
        for length in (63, 253, 10_000, 1_000_000):
            with contextlib.suppress(HostNameError):
                ascii_host((character * length)[:length])
    assert time.monotonic() - began < 1


def test_certificates_name_neither_the_root_nor_a_zone() -> None:
    assert tls_name("Faß.de.") == "xn--fa-hia.de"
    assert tls_name("fe80::1%eth0") == "fe80::1"


@pytest.mark.parametrize(
    ("written", "sent"),
    [("münchen.test:8080", "xn--mnchen-3ya.test:8080"), ("a_b", "a_b"), ("[::1]:80", "[::1]:80")],
)
def test_a_host_header(written: str, sent: str) -> None:
    assert ascii_authority(written) == sent


def test_every_key_takes_them_and_labels_keep_them(write: Write) -> None:
    path = write(
        """
        services:
          web:
            image: web
            port: 80
            probes:
              - {name: url, http: {url: "https://faß.de/", tls: {server_name: münchen.test}}}
              - {name: socket, websocket: {url: "wss://münchen.test/"}}
              - {name: port, tcp: "münchen.test:25"}
              - {name: host, tcp: {host: my_service, port: 25}}
              - {name: call, grpc: {host: münchen.test, port: 9090}}
              - {name: name, dns: {name: _dmarc.münchen.test, server: "münchen.test:5353"}}
              - {name: ping, icmp: {host: münchen.test}}
              - {name: proxied, http: {url: "http://münchen.test/", proxy: "http://straße.test:3128"}}
        """
    )
    labels = {target.probe: target.target for target in load_plan(path).targets}
    assert labels == {
        "url": "https://faß.de/",
        "socket": "wss://münchen.test/",
        "port": "münchen.test:25",
        "host": "my_service:25",
        "call": "münchen.test:9090",
        "name": "_dmarc.münchen.test",
        "ping": "münchen.test",
        "proxied": "http://münchen.test/",
    }


WHERE = "config.yaml:7:%d: services.web.probes[0]."
NO_HOST = "is not a host name or an IP address"


@pytest.mark.parametrize(
    ("probe", "column", "line"),
    [
        (
            '{name: p, http: "http://☕.de/"}',
            19,
            'http: "http://☕.de/" is not a URL: its host is not valid: IDNA 2008 does not allow U+2615 there',
        ),
        (
            "{name: p, icmp: {host: a..b}}",
            26,
            f'icmp.host: "a..b" {NO_HOST}: there is nothing between two dots',
        ),
        (
            "{name: p, tcp: 'my_größe:25'}",
            19,
            f'tcp: "my_größe" {NO_HOST}: IDNA 2008 does not allow U+005F there',
        ),
        (
            "{name: p, dns: אb.de}",
            19,
            f'dns: "אb.de" {NO_HOST}: it mixes letters of both directions of writing',
        ),
    ],
)
def test_mistakes_name_their_place(probe: str, column: int, line: str, write: Write) -> None:
    path = write(
        f"""
        services:
          web:
            image: web
            port: 80
            probes:
              - {probe}
        """
    )
    assert mistakes(path) == [WHERE % column + line]
