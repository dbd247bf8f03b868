"""Network values in the catalog: URLs, hosts, addresses, status codes, headers."""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from exporter.catalog.values.addresses import parse_host, parse_listen, split_address
from exporter.catalog.values.hostnames import HostNameError, ascii_host
from exporter.catalog.values.scalars import text_schema, value_type
from exporter.catalog.values.words import kind, shown

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_USERINFO = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s]*@")

_STATUS = re.compile(r"([1-5])[xX]{2}|([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?")


def parse_url(value: object) -> str:
    """Parse an http or https URL without a user name or password."""
    return check_url(value, ("http", "https"))


def check_url(value: object, schemes: tuple[str, ...]) -> str:
    """Parse a URL of one of these schemes, without a user name or password.

    Raises:
        ValueError: it is not valid. The message never holds a password.
    """
    example = f"{schemes[0]}://host:port/path"
    if not isinstance(value, str):
        raise ValueError(f"expected a URL such as {example}, found {kind(value)}")  # noqa: TRY004 - pydantic collects ValueErrors
    if _USERINFO.match(value):
        raise ValueError("a URL cannot hold a user name or password; write them under basic_auth")
    try:
        parts = urlsplit(value)
        valid = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or not value.isprintable() or " " in value:
        found = "this" if "@" in value else shown(value)  # a password with / in it looks like a port
        raise ValueError(f"{found} is not a URL; write one such as {example}")
    try:
        ascii_host(parts.hostname or "")
    except HostNameError as error:
        raise ValueError(f"{shown(value)} is not a URL: its host is not valid: {error}") from None
    return value


def parse_host_pattern(value: object) -> str:
    """Parse a name of a Host header, `*.` and a domain, or `*`."""
    text = value if isinstance(value, str) else ""
    name = text.removeprefix("*.")
    if text != "*" and ":" in name:
        raise ValueError(
            f"{shown(value)} is not a host name; write one such as metrics.example.com, without a port"
        )
    return text if text == "*" else text.removesuffix(name) + ascii_host(parse_host(name))


def parse_path(value: object) -> str:
    """Parse a path of an HTTP request, optionally with a query."""
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable() or " " in value:
        raise ValueError(f"{shown(value)} is not a path; it begins with / and holds no space")
    return value


def parse_statuses(value: object) -> tuple[tuple[int, int], ...]:
    """Parse `200`, `2xx`, `200-299` or a list of these into ranges."""
    if value == ():
        raise ValueError("an empty list of statuses never matches; remove it for 2xx")
    return tuple(_status_range(item) for item in (value if isinstance(value, tuple) else (value,)))


def _status_range(value: object) -> tuple[int, int]:
    match = _STATUS.fullmatch(str(value)) if isinstance(value, str | int) else None
    if not match:
        raise ValueError(f"{shown(value)} is not a status; write 200, 2xx, 200-299 or a list of these")
    if match[1]:
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    first, last = int(match[2]), int(match[3] or match[2])
    if first > last:
        raise ValueError(f"{shown(value)} is not a status; the first number of a range is the smaller one")
    return first, last


def parse_header_name(value: object) -> str:
    if not isinstance(value, str) or not _HEADER_NAME.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a header name; use letters, digits and hyphens")
    return value


_ADDRESS_FIELDS = ("service", "port", "project", "environment")


def parse_address_template(value: object) -> str:
    if not isinstance(value, str) or not value or " " in value:
        raise ValueError(f"{shown(value)} is not an address; write one such as localhost:{{port}}")
    check_places(value, "an address", _ADDRESS_FIELDS)
    return value


def check_places(text: str, what: str, allowed: tuple[str, ...]) -> None:
    """Check that the placeholders in braces in `text` are among those that `what` may hold.

    Raises:
        ValueError: they are not.
    """
    try:
        fields = [item[1:] for item in Formatter().parse(text) if item[1] is not None]
    except ValueError:
        raise ValueError(f"{shown(text)} is not {what}; a {{ or }} is missing") from None
    for name, spec, conversion in fields:
        if name not in allowed or spec or conversion:
            places = ", ".join(f"{{{field}}}" for field in allowed)
            raise ValueError(f"{shown(text)} is not {what}; it may hold {places}")


Url = Annotated[
    str,
    *value_type(parse_url, text_schema(r"^[Hh][Tt][Tt][Pp][Ss]?://", "https://example.com/health"), "URL"),
]

UrlPath = Annotated[str, *value_type(parse_path, text_schema("^/", "/health"), "path")]

Port = Annotated[int, Field(ge=1, le=65535)]

Host = Annotated[str, *value_type(parse_host, {"type": "string", "minLength": 1}, "host")]

Address = Annotated[
    tuple[str, int | None],
    *value_type(split_address, text_schema(r"^\S+$", "mail.example.com:25"), "host:port"),
]

Listen = Annotated[
    tuple[str, int],
    *value_type(
        parse_listen, {"type": ["string", "integer"], "examples": ["0.0.0.0:9877", ":9877"]}, "host:port"
    ),
]

HostPattern = Annotated[
    str,
    *value_type(
        parse_host_pattern, text_schema(r"^(\*|(\*\.)?[^*:/\s]+)$", "metrics.example.com"), "host name"
    ),
]

_STATUS_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": r"^([1-5][xX]{2}|[1-5][0-9]{2}(\s*-\s*[1-5][0-9]{2})?)$"},
    ]
}

Statuses = Annotated[
    tuple[tuple[int, int], ...],
    *value_type(
        parse_statuses,
        {"anyOf": [*_STATUS_SCHEMA["anyOf"], {"type": "array", "items": _STATUS_SCHEMA, "minItems": 1}]},
        "status or list",
    ),
]

HeaderName = Annotated[
    str,
    *value_type(
        parse_header_name, text_schema(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "Content-Type"), "header name"
    ),
]

AddressTemplate = Annotated[
    str,
    *value_type(
        parse_address_template, {"type": "string", "examples": ["localhost:{port}"]}, "address template"
    ),
]

IpProtocol = Literal["any", "ip4", "ip6", "prefer_ip4", "prefer_ip6"]
