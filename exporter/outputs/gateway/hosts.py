"""Servers for the catalog's host names over HTTP or HTTPS, and the answers to unknown hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.values.hostnames import ascii_host
from exporter.outputs.base import OutputError
from exporter.outputs.gateway.locations import live_location
from exporter.outputs.gateway.nginx_text import Comment, Item, block, line
from exporter.outputs.gateway.places import HTTP_PORT, HTTPS_PORT, TLS_CERTIFICATE, TLS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.gateway import Gateway, GatewayTls
    from exporter.catalog.reading.problems import CatalogPath

HSTS_SECONDS = 31_536_000

_CIPHERS = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for signature in ("ECDSA", "RSA")
)
"""Ciphers of TLS 1.2 with forward secrecy and authenticated encryption; those of TLS 1.3 all have both."""
_PROTOCOLS = {"1.2": ("TLSv1.2", "TLSv1.3"), "1.3": ("TLSv1.3",)}


def servers(catalog: Catalog, gateway: Gateway, locations: Sequence[Item]) -> Iterator[Item]:
    """Yield the servers. If all ports are open on the host, as on a laptop, any host name is accepted.

    Raises:
        OutputError: a host name is one that no browser sends.
    """
    names = _names(gateway)
    anybody = catalog.environment.publishes_all
    request_id = line("add_header", "X-Request-ID", "$gateway_request_id", "always")
    tls = gateway.tls
    plain = _listen(HTTP_PORT, default=anybody)
    if not anybody:
        yield _strangers(HTTP_PORT)
    if tls is None:
        yield block(["server"], plain, names, request_id, *locations)
        return
    if tls.redirect:
        port = "" if gateway.https_port == 443 else f":{gateway.https_port}"
        target = f"https://$host{port}$request_uri"
        away = block(["location", "/"], line("return", "308", target))
        yield block(["server"], plain, names, live_location(), away)
    else:
        yield block(["server"], plain, names, request_id, *locations)
    if not anybody:
        yield Comment("Unknown hosts: the handshake is rejected.")
        yield block(["server"], _listen(HTTPS_PORT, "ssl", default=True), line("ssl_reject_handshake", "on"))
    # Browsers remember HSTS for a year: on a laptop it would block everything else on localhost.
    hsts = line("add_header", "Strict-Transport-Security", f"max-age={HSTS_SECONDS}", "always")
    yield block(
        ["server"],
        _listen(HTTPS_PORT, "ssl", default=anybody),
        line("http2", "on"),
        names,
        *_tls(tls),
        *([hsts] if tls.redirect and not anybody else []),
        request_id,
        *locations,
    )


def _names(gateway: Gateway) -> Item:
    written: list[tuple[str, CatalogPath]] = [(gateway.host, ("host",))]
    written += [(name, ("aliases", index)) for index, name in enumerate(gateway.aliases)]
    for name, path in written:
        if "%" in name:
            raise OutputError(
                "has a zone, which no request has; leave out % and what follows", "gateway", *path
            )
    names = list(dict.fromkeys(ascii_host(name.strip("[]")).removesuffix(".").lower() for name, _ in written))
    return line("server_name", *(f"[{name}]" if ":" in name else name for name in names))


def _listen(port: int, *options: str, default: bool) -> Item:
    return line("listen", str(port), *options, *(["default_server"] if default else []))


def _strangers(port: int) -> Item:
    return block(
        ["server"],
        _listen(port, default=True),
        line("server_name", "_"),
        live_location(),
        block(["location", "/"], line("return", "421")),
    )


def _tls(tls: GatewayTls) -> Iterator[Item]:
    yield line("ssl_certificate", TLS_CERTIFICATE)
    yield line("ssl_certificate_key", TLS_KEY)
    yield line("ssl_protocols", *_PROTOCOLS[tls.min_version])
    yield line("ssl_ciphers", _CIPHERS)
    yield line("ssl_prefer_server_ciphers", "off")
    yield line("ssl_session_cache", "shared:gateway:10m")
    yield line("ssl_session_timeout", "1d")
    yield line("ssl_session_tickets", "off")
