"""Hosts and ports, as a person writes them; without pydantic, for the daemon and for a health check."""

from __future__ import annotations

import ipaddress

from exporter.catalog.values.hostnames import HostNameError, ascii_host
from exporter.catalog.values.words import shown

DEFAULT_LISTEN = ("0.0.0.0", 9877)  # noqa: S104 - Prometheus scrapes it from another container

DEFAULT_PORTS = {"http": 80, "https": 443}
"""Ports of URLs without a port."""


def parse_host(value: object) -> str:
    """Return a host name, in any script, or an IP address, as it was written.

    Raises:
        ValueError: it is neither; the sentence says why.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"{shown(value)} is not a host name or an IP address")
    host = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        ascii_host(host)
    except HostNameError as error:
        raise ValueError(f"{shown(value)} is not a host name or an IP address: {error}") from None
    return value


def split_address(value: object) -> tuple[str, int | None]:
    """Return host and port of `host`, `host:port` or `[v6]:port`, without the brackets.

    Raises:
        ValueError: it has another form.
    """
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a host and port; write one such as mail.example.com:25")  # noqa: TRY004 - pydantic collects ValueErrors
    text = value
    host, separator, port = text.rpartition(":")
    if not separator or (text.count(":") > 1 and not host.endswith("]")):
        host, port = text, ""
    parse_host(host)
    if (port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536)) or (
        separator and text.endswith(":")
    ):
        raise ValueError(f"{shown(value)} is not a host and port; a port is a number from 1 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port) if port else None


def is_loopback(host: str) -> bool:
    """True if the host is this machine, by name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_listen(value: object) -> tuple[str, int]:
    """Parse `0.0.0.0:9877`, `:9877` or `9877`."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text.isdigit():
        text = f":{text}"
    host, port = split_address(f"0.0.0.0{text}" if text.startswith(":") else text)  # noqa: S104 - what no host means
    if port is None:
        raise ValueError(f"{shown(value)} is not an address to listen on; write one such as 0.0.0.0:9877")
    return host, port


def join_address(host: str, port: int | None) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    text = f"[{host}]" if ":" in host else host
    return text if port is None else f"{text}:{port}"
