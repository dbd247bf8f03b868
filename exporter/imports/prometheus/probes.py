"""Turns a module and a target into a probe of the catalog, or into a note why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from exporter.catalog.values.addresses import DEFAULT_PORTS, join_address, parse_host, split_address
from exporter.catalog.values.network import check_url
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from exporter.imports.prometheus.jobs import Asked
    from exporter.imports.prometheus.making import Making
    from exporter.imports.prometheus.modules import Module

_SCHEMES = {"http": ("http", "https"), "websocket": ("ws", "wss")}
_PORTS = {**DEFAULT_PORTS, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe and its target. `port` is None where the protocol has none."""

    host: str
    port: int | None
    protocol: str
    keys: dict[str, Any]


def probe_of(module: Module, asked: Asked, making: Making) -> Probed | None:
    """Return the probe of a module for a target."""
    target = asked.labels.get("__param_target", "")
    try:
        if module.protocol in _SCHEMES:
            return _url(module, asked, target, making)
        return _address(module, target)
    except ValueError:
        what = "a URL" if module.protocol in _SCHEMES else "an address"
        shown = "its target" if "@" in target else quoted(target)
        making.note(
            f"{shown} is not {what} for the module {quoted(module.name)}; it is left out", asked.place
        )
        return None


def _url(module: Module, asked: Asked, target: str, making: Making) -> Probed:
    schemes = _SCHEMES[module.protocol]
    if "://" not in target:
        target = f"{schemes[0]}://{target}"
    parts = urlsplit(target)
    keys = dict(module.keys)
    if "@" in parts.netloc:
        user, _, host = parts.netloc.rpartition("@")
        name = user.partition(":")[0]
        keys["basic_auth"] = {
            "username": making.text(name, asked.place),
            "password": making.secret(asked.place, asked.name, parts.hostname or "", "password"),
        }
        parts = parts._replace(netloc=host)
    # A fragment is never sent.
    bare = urlunsplit(parts._replace(fragment=""))
    check_url(bare, schemes)
    keys = {"url": making.text(bare, asked.place, asked.name), **keys}
    hostname = asked.labels.get("__param_hostname", "")
    if hostname:
        keys["headers"] = {**keys.get("headers", {}), "Host": hostname}
        keys["tls"] = {"server_name": hostname.partition(":")[0], **keys.get("tls", {})}
    if module.secure and not (parts.scheme == "https" and keys.get("redirects") == "off"):
        sentence = "an answer without TLS, as after a redirect, does not fail in the catalog"
        making.note(sentence, module.place, "fail_if_not_ssl")
    return Probed(parts.hostname or "", parts.port or _PORTS[parts.scheme], module.protocol, keys)


def _address(module: Module, target: str) -> Probed:
    host, port = split_address(target)
    parse_host(host)
    protocol, keys = module.protocol, module.keys
    if protocol == "icmp":
        return Probed(host, None, protocol, {"host": host, **keys})
    if protocol == "dns":
        return Probed(
            host, port or 53, protocol, {"name": keys["name"], "server": join_address(host, port), **keys}
        )
    if port is None:
        raise ValueError("needs a port")
    return Probed(host, port, protocol, {"address": join_address(host, port), **keys})
