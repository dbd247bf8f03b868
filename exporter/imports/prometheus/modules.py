"""Modules of blackbox.yml as probes of the catalog, without the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from exporter.catalog.keys.probes.dns import Rcode
from exporter.catalog.values.words import quoted
from exporter.imports.prometheus.config import (
    Binary,
    catalog_text,
    flag,
    items,
    members,
    seconds,
    text,
    texts,
)
from exporter.imports.prometheus.http_module import Keys, http_keys
from exporter.imports.prometheus.shared_keys import credentials, ip_family, tls_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.imports.project import Place, Value
    from exporter.imports.prometheus.making import Making


@dataclass(frozen=True, slots=True)
class Module:
    """A module. `protocol`: the catalog's key of the probe; empty if the catalog has none for it."""

    name: str
    protocol: str
    keys: Keys
    timeout: float
    """In seconds; 0: Prometheus's."""
    secure: bool
    """True if an answer without TLS fails."""
    place: Place


def read_modules(config: Value, making: Making) -> dict[str, Module]:
    """Return the modules by name.

    Raises:
        SourceError: a value cannot be used.
    """
    return {name: _module(name, value, making) for name, value in members(config.child("modules")).items()}


def _module(name: str, value: Value, making: Making) -> Module:
    prober = text(value.child("prober"))
    section = value.child(prober) if prober else None
    secure = section is not None and flag(section.child("fail_if_not_ssl"))
    timeout = seconds(value.child("timeout"), 0)
    if prober not in _PROBERS:
        making.note(
            f"its prober {quoted(prober)} has no counterpart; its targets are left out", value.place, name
        )
        return Module(name, "", {}, timeout, secure, value.place)
    keys = _PROBERS[prober](section, making, name) if section is not None else _EMPTY.get(prober, {})
    return Module(name, prober, dict(keys), timeout, secure, value.place)


def _tcp(section: Value, making: Making, module: str) -> Keys:
    keys = _unmapped(section, {"query_response", "tls"}, making)
    settings = tls_settings(section.child("tls_config"), making, module)
    exchanges = _exchanges(section.child("query_response"), making, module)
    if exchanges:
        keys["exchanges"] = exchanges
    if flag(section.child("tls")):
        keys["tls"] = settings or True
    elif settings and any(step.get("starttls") for step in exchanges):
        keys["tls"] = settings
    return keys


def _exchanges(steps: Value | None, making: Making, module: str) -> list[Keys]:
    found: list[Keys] = []
    for step in items(steps):
        parts = members(step)
        if parts.get("expect_bytes") or any(isinstance(part.content, Binary) for part in parts.values()):
            sentence = "bytes cannot be written in the catalog; the probe ends before this step"
            making.note(sentence, step.place, "query_response")
            return found
        if parts.get("labels"):
            making.lost("labels", parts["labels"].place)
        keys: Keys = {}
        if text(parts.get("expect")):
            pattern = making.pattern(text(parts["expect"]), parts["expect"].place)
            if pattern is None:
                return found
            keys["expect"] = pattern
        if "send" in parts:
            keys["send"] = making.text(text(parts["send"]), parts["send"].place, module)
        if flag(parts.get("starttls")):
            keys["starttls"] = True
        if keys:
            found.append(keys)
    return found


def _dns(section: Value, making: Making, _: str) -> Keys:
    mapped = {
        "query_name",
        "query_type",
        "recursion_desired",
        "transport_protocol",
        "valid_rcodes",
        "query_class",
    }
    keys = _unmapped(section, mapped | {"validate_answer_rrs", "tls_config"}, making)
    keys["name"] = catalog_text(text(section.child("query_name")))
    keys["type"] = text(section.child("query_type"), "ANY")
    # Without a condition, blackbox_exporter takes an answer without records.
    keys["min_answers"] = 0
    if text(section.child("query_class"), "IN") != "IN":
        making.lost("query_class", section.place)
    if not flag(section.child("recursion_desired"), default=True):
        keys["recursion"] = False
    if text(section.child("transport_protocol"), "udp") == "tcp":
        keys["transport"] = "tcp"
    rcodes = texts(section.child("valid_rcodes"))
    if unknown := [code for code in rcodes if code not in get_args(Rcode)]:
        making.lost("valid_rcodes", section.place, f"{quoted(unknown[0])} is not known")
    if known := [code for code in rcodes if code in get_args(Rcode)]:
        keys["rcodes"] = known
    answers = _answers(section.child("validate_answer_rrs"), making)
    return {**keys, "answers": answers} if answers else keys


def _answers(section: Value | None, making: Making) -> Keys:
    found: dict[str, list[str]] = {}
    for key, value in members(section).items():
        patterns = [making.pattern(text(item), item.place) for item in items(value)]
        kept = [pattern for pattern in patterns if pattern is not None]
        if not kept:
            continue
        if key == "fail_if_matches_regexp":
            found["not_matches"] = kept
        elif key == "fail_if_none_matches_regexp":
            # One of them is enough there.
            one = kept[0] if len(kept) == 1 else "|".join(f"(?:{pattern})" for pattern in kept)
            found.setdefault("matches", []).append(one)
        elif key == "fail_if_not_matches_regexp":
            found.setdefault("matches", []).extend(kept)
            making.note("every record had to match; in the catalog one is enough", value.place, key)
        else:
            making.lost(key, value.place)
    return dict(found)


def _icmp(section: Value, making: Making, _: str) -> Keys:
    keys = _unmapped(section, {"payload_size", "ttl"}, making)
    for key, name in (("payload_size", "payload"), ("ttl", "ttl")):
        number = text(section.child(key))
        if number.isdecimal() and len(number) < _LONG:
            keys[name] = int(number)
    return keys


def _grpc(section: Value, making: Making, module: str) -> Keys:
    keys = _unmapped(section, {"service", "tls", "metadata"}, making)
    if text(section.child("service")):
        keys["service"] = catalog_text(text(section.child("service")))
    if flag(section.child("tls")):
        keys["tls"] = tls_settings(section.child("tls_config"), making, module) or True
    metadata: Keys = {}
    for name, values in members(section.child("metadata")).items():
        if len(items(values)) > 1:
            making.lost(f"metadata.{name}", values.place, "it has more than one value")
        for item in items(values)[:1]:
            metadata[name] = making.header(name, text(item), item.place, module)
    return {**keys, "metadata": metadata} if metadata else keys


def _websocket(section: Value, making: Making, module: str) -> Keys:
    keys = _unmapped(section, {"http_config", "headers", "query_response"}, making)
    client = section.child("http_config")
    if client is not None:
        keys |= credentials(client, making, module)
        settings = tls_settings(client.child("tls_config"), making, module)
        keys |= {"tls": settings} if settings else {}
    headers = {
        name: making.header(name, text(items(value)[0] if items(value) else value), value.place, module)
        for name, value in members(section.child("headers")).items()
    }
    keys |= {"headers": {**keys.get("headers", {}), **headers}} if headers else {}
    for step in _exchanges(section.child("query_response"), making, module):
        for key, value in step.items():
            if key in keys or (key == "send" and "expect" in keys) or key == "starttls":
                making.lost("query_response", section.place, "one message each way is possible")
            else:
                keys[key] = value
    return keys


_PROBERS: dict[str, Callable[[Value, Making, str], Keys]] = {
    "http": http_keys,
    "tcp": _tcp,
    "dns": _dns,
    "icmp": _icmp,
    "grpc": _grpc,
    "websocket": _websocket,
}
_LONG = 10
_EMPTY: dict[str, Keys] = {}
_COMMON = frozenset({"preferred_ip_protocol", "ip_protocol_fallback", "tls_config"})


def _unmapped(section: Value, mapped: set[str], making: Making) -> dict[str, Any]:
    """Note the keys that no function here reads, and return the address family, which all probers have."""
    for key, value in members(section).items():
        if key not in mapped | _COMMON and value.content not in (None, False, "", [], {}):
            making.lost(key, value.place)
    family = ip_family(section)
    return {"ip": family} if family else {}
