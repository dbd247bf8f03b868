"""Keys that several probers of blackbox_exporter share: TLS, credentials, address family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import quoted
from exporter.imports.prometheus.config import flag, members, text
from exporter.imports.prometheus.making import absolute

if TYPE_CHECKING:
    from exporter.imports.project import Value
    from exporter.imports.prometheus.making import Making

_TLS_FILES = {"ca_file": "ca", "cert_file": "certificate", "key_file": "key"}
_VERSIONS = {"TLS10": "1.0", "TLS11": "1.1", "TLS12": "1.2", "TLS13": "1.3"}
_TLS_VERSIONS = {"min_version": "min_version", "max_version": "max_version"}


def ip_family(section: Value) -> str | None:
    """Return the catalog's `ip`; None for what is not written: blackbox_exporter then prefers IPv6 and takes both."""
    preferred = text(section.child("preferred_ip_protocol")).lower()
    fallback = flag(section.child("ip_protocol_fallback"), default=True)
    if preferred not in ("ip4", "ip6"):
        return None if fallback else "ip6"
    return f"prefer_{preferred}" if fallback else preferred


def tls_settings(section: Value | None, making: Making, module: str) -> dict[str, Any]:
    """Return the catalog's `tls` of a `tls_config`."""
    keys: dict[str, Any] = {}
    for key, value in members(section).items():
        written = text(value)
        if key in _TLS_FILES and written:
            keys[_TLS_FILES[key]] = absolute(written, value.place.source.folder)
        elif key == "server_name" and written:
            keys["server_name"] = written
        elif key == "insecure_skip_verify":
            keys |= {"verify": False} if flag(value) else {}
        elif key in _TLS_VERSIONS and written in _VERSIONS:
            keys[key] = _VERSIONS[written]
        elif written:
            # A certificate or key in the file itself is not repeated.
            making.lost(f"tls_config.{key}", value.place, f"module {quoted(module)}")
    return keys


def credentials(section: Value, making: Making, module: str) -> dict[str, Any]:
    """Return `basic_auth`, `bearer_token` and `headers` of an HTTP client's configuration, all by reference."""
    keys: dict[str, Any] = {}
    basic = members(section.child("basic_auth"))
    if basic:
        user, password = basic.get("username"), basic.get("password")
        keys["basic_auth"] = {
            "username": _file(basic.get("username_file"))
            or making.text(text(user), user.place if user else section.place, module),
            "password": _file(basic.get("password_file"))
            or making.secret(password.place if password else section.place, module, "password"),
        }
    token = section.child("bearer_token")
    if text(token) and token is not None:
        keys["bearer_token"] = making.secret(token.place, module, "token")
    if found := _file(section.child("bearer_token_file")):
        keys["bearer_token"] = found
    return keys | _authorization(section, making, module)


def _authorization(section: Value, making: Making, module: str) -> dict[str, Any]:
    written = section.child("authorization")
    value = written.child("credentials") if written else None
    file = _file(written.child("credentials_file")) if written else None
    if written is None or (value is None and file is None):
        return {}
    scheme = text(written.child("type"), "Bearer")
    reference = file or making.secret((value or written).place, module, "token")
    if scheme.lower() == "bearer":
        return {"bearer_token": reference}
    sentence = (
        f"the secret must begin with {quoted(scheme)} and a space: the catalog sends it as the whole header"
    )
    making.note(sentence, written.place, "authorization")
    return {"headers": {"Authorization": reference}}


def _file(value: Value | None) -> dict[str, str] | None:
    return (
        {"file": absolute(text(value), value.place.source.folder)}
        if value is not None and text(value)
        else None
    )
