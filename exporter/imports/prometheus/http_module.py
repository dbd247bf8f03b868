"""The prober `http` of blackbox_exporter as the catalog's `http` probe, key by key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import quoted
from exporter.imports.prometheus.config import Binary, flag, items, members, text, texts
from exporter.imports.prometheus.making import absolute
from exporter.imports.prometheus.shared_keys import credentials, ip_family, tls_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.imports.project import Value
    from exporter.imports.prometheus.making import Making

_HTTP_VERSIONS = {"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2": "2", "HTTP/2.0": "2"}
_SIZE = re.compile(r"([0-9]{1,18})\s*([KMGT]?)i?B?")

Keys = dict[str, Any]


def _status(value: Value, _: Making, __: str) -> Keys:
    codes = [int(code) for code in texts(value) if code.isdecimal() and len(code) == 3]
    return {"status": codes} if codes else {}


def _any_response(value: Value, _: Making, __: str) -> Keys:
    return {"status": "100-599"} if flag(value) else {}


def _versions(value: Value, making: Making, _: str) -> Keys:
    known = [_HTTP_VERSIONS[name] for name in texts(value) if name in _HTTP_VERSIONS]
    for name in texts(value):
        if name not in _HTTP_VERSIONS:
            making.lost("valid_http_versions", value.place, f"{quoted(name)} is not probed")
    return {"versions": list(dict.fromkeys(known))} if known else {}


def _method(value: Value, _: Making, __: str) -> Keys:
    return {"method": text(value).upper()} if text(value).upper() not in ("", "GET") else {}


def _headers(value: Value, making: Making, module: str) -> Keys:
    headers = {
        name: making.header(name, text(inner), inner.place, module) for name, inner in members(value).items()
    }
    return {"headers": headers} if headers else {}


def _body(value: Value, making: Making, module: str) -> Keys:
    if isinstance(value.content, Binary):
        making.lost("body", value.place, "it is binary")
        return {}
    return {"send": making.text(text(value), value.place, module)} if text(value) else {}


def _body_file(value: Value, _: Making, __: str) -> Keys:
    return {"send": {"file": absolute(text(value), value.place.source.folder)}} if text(value) else {}


def _body_patterns(key: str) -> Callable[[Value, Making, str], Keys]:
    def patterns(value: Value, making: Making, _: str) -> Keys:
        found = [making.pattern(text(item), item.place) for item in items(value)]
        kept = [pattern for pattern in found if pattern is not None]
        return {"body": {key: kept}} if kept else {}

    return patterns


def _header_conditions(key: str) -> Callable[[Value, Making, str], Keys]:
    def conditions(value: Value, making: Making, _: str) -> Keys:
        found: Keys = {}
        for item in items(value):
            name, optional = text(item.child("header")), flag(item.child("allow_missing"))
            pattern = making.pattern(text(item.child("regexp")), item.place)
            if pattern is None or not name:
                continue
            if key in found.get(name, {}):
                making.lost(name, item.place, "a header has one such condition")
            elif key == "matches" and optional:
                making.lost(name, item.place, "a header that must match must be there")
            else:
                # Without allow_missing the header must be there; every value matches the empty expression.
                there = {} if optional or key == "matches" else {"matches": ""}
                found[name] = {**there, **found.get(name, {}), key: pattern}
        return {"header": found} if found else {}

    return conditions


def _compression(value: Value, making: Making, _: str) -> Keys:
    if text(value) in ("gzip", "deflate"):
        return {"compression": text(value)}
    if text(value) not in ("", "identity"):
        making.lost("compression", value.place, f"{quoted(text(value))} is not read")
    return {}


def _size_limit(value: Value, making: Making, _: str) -> Keys:
    match = _SIZE.fullmatch(text(value).strip())
    if match is None:
        making.lost("body_size_limit", value.place)
        return {}
    # blackbox_exporter counts in powers of 1024, whatever the unit is called.
    unit = f"{match[2]}i" if match[2] else ""
    return {"max_body": f"{match[1]}{unit}"} if int(match[1]) else {}


def _follow(value: Value, _: Making, __: str) -> Keys:
    return {} if flag(value, default=True) else {"redirects": "off"}


def _no_follow(value: Value, _: Making, __: str) -> Keys:
    return {"redirects": "off"} if flag(value) else {}


def _tls(value: Value, making: Making, module: str) -> Keys:
    settings = tls_settings(value, making, module)
    return {"tls": settings} if settings else {}


def _proxy(value: Value, making: Making, module: str) -> Keys:
    return {"proxy": making.text(text(value), value.place, module, "proxy")} if text(value) else {}


def _http2(value: Value, _: Making, __: str) -> Keys:
    return {} if flag(value, default=True) else {"versions": ["1.0", "1.1"]}


_KEYS: dict[str, Callable[[Value, Making, str], Keys]] = {
    "valid_status_codes": _status,
    "accept_any_response": _any_response,
    "enable_http2": _http2,
    "valid_http_versions": _versions,
    "method": _method,
    "headers": _headers,
    "body": _body,
    "body_file": _body_file,
    "fail_if_body_matches_regexp": _body_patterns("not_matches"),
    "fail_if_body_not_matches_regexp": _body_patterns("matches"),
    "fail_if_header_matches": _header_conditions("not_matches"),
    "fail_if_header_not_matches": _header_conditions("matches"),
    "compression": _compression,
    "body_size_limit": _size_limit,
    "follow_redirects": _follow,
    "no_follow_redirects": _no_follow,
    "tls_config": _tls,
    "proxy_url": _proxy,
}
_ELSEWHERE = frozenset(
    {"preferred_ip_protocol", "ip_protocol_fallback", "basic_auth", "bearer_token", "bearer_token_file"}
    | {"authorization", "fail_if_not_ssl"}
)
"""Keys that are read together, or with the target."""


def http_keys(section: Value, making: Making, module: str) -> Keys:
    """Return the keys of the catalog's probe, without its address."""
    keys: Keys = {}
    written = members(section)
    for key, value in written.items():
        if key not in _KEYS and key not in _ELSEWHERE and value.content not in (None, False, "", [], {}):
            making.lost(key, value.place)
    for key, mapped in _KEYS.items():
        if key in written:
            _merge(keys, mapped(written[key], making, module))
    _merge(keys, credentials(section, making, module))
    family = ip_family(section)
    return {**keys, "ip": family} if family else keys


def _merge(keys: Keys, more: Keys) -> None:
    """Add keys; mappings merge, so that two keys of a module can make one of the catalog."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(keys.get(key), dict):
            _merge(keys[key], value)
        else:
            keys[key] = value
