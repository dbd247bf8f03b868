"""Probes of a service: from its health test, its known image, or its port."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.warnings import is_secret
from exporter.imports.mapping import ports
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.health import test_of
from exporter.imports.mapping.images import known

if TYPE_CHECKING:
    from exporter.imports.compose.forms.service import Service
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.mapping.health import Test


_LOGIN = "authorization"
_BEARER = re.compile(r"(?i:bearer)\s+\$\{?([A-Za-z_][A-Za-z0-9_]*)")
"""A token from a variable of Compose, not from one of the container, which is written with two signs."""


def probed(service: Service, name: str, draft: Draft) -> dict[str, Any]:
    """Return the keys `port`, `health` and `probes` of a service."""
    path = ("services", service.name)
    test = test_of(
        service.healthcheck, {service.name, service.hostname or "", service.container_name or ""} - {""}
    )
    image = known(service.image)
    port = (test.port if test else None) or ports.health_port(service) or (image.port if image else None)
    keys: dict[str, Any] = {"port": port} if port else {}
    if test and test.kind == "http" and not draft.own and any(_is_secret(*each) for each in test.headers):
        # The daemon would not start before somebody has provided the secret.
        sentence = "sends a secret, so only the port is probed; write health with a bearer_token or headers"
        draft.row(Outcome.CHANGED, (*path, "healthcheck"), sentence)
    elif test and test.kind == "http":
        keys["health"] = _http(test, service, name, draft)
        for note in test.notes:
            draft.row(Outcome.CHANGED, (*path, "healthcheck"), note)
        draft.row(Outcome.CARRIED, (*path, "healthcheck"), "also an HTTP probe")
    elif test and test.kind == "tcp":
        draft.row(Outcome.CARRIED, (*path, "healthcheck"), "also a TCP probe")
        keys["probes"] = [{"name": "port", "tcp": {}}]
    elif test and test.kind == "container":
        draft.row(
            Outcome.CARRIED,
            (*path, "healthcheck"),
            "cannot be a probe from outside; the container's own health is used",
        )
    elif image and image.path:
        keys["health"] = image.path
    if port and not keys.keys() & {"health", "probes"}:
        keys["probes"] = [{"name": "port", "tcp": {}}]
    if not port and (service.ports or service.expose):
        draft.row(
            Outcome.LEFT, path, "several ports and no health test; write port, and health if it speaks HTTP"
        )
    return keys


def _is_secret(header: str, value: str) -> bool:
    return header.lower() == _LOGIN or is_secret(header, value)


def _http(test: Test, service: Service, name: str, draft: Draft) -> Any:
    path = ("services", service.name, "healthcheck")
    keys: dict[str, Any] = {"path": test.path.replace("${", "$${")}
    if test.scheme == "https":
        # The certificate is for the name that users know, not for that of the container.
        keys |= {"scheme": "https", "tls": {"verify": False}}
    if test.contains:
        keys["body"] = test.contains.replace("${", "$${")
    headers: dict[str, Any] = {}
    for header, value in test.headers:
        if header.lower() == _LOGIN and value.lower().partition(" ")[0] == "bearer":
            words = " ".join(service.healthcheck.test) if service.healthcheck else ""
            variable = found[1] if (found := _BEARER.search(words)) else None
            secret = draft.secret(path, variable or f"{name}_token", variable=variable)
            keys["bearer_token"] = {"secret": secret}
        elif _is_secret(header, value):
            headers[header] = {"secret": draft.secret(path, f"{name}_{header}")}
        else:
            headers[header] = value.replace("${", "$${")
    if headers:
        keys["headers"] = headers
    return keys["path"] if len(keys) == 1 else keys
