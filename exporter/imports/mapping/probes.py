"""Probes of a service: from its health test, its known image, or its port."""

from __future__ import annotations

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


def probed(service: Service, name: str, draft: Draft) -> dict[str, Any]:
    """Return the keys `port`, `health` and `probes` of a service."""
    path = ("services", service.name)
    test = test_of(
        service.healthcheck, {service.name, service.hostname or "", service.container_name or ""} - {""}
    )
    image = known(service.image)
    port = (test.port if test else None) or ports.health_port(service) or (image.port if image else None)
    keys: dict[str, Any] = {"port": port} if port else {}
    if test and test.kind == "http":
        keys["health"] = _http(test, name, draft, path)
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


def _http(test: Test, name: str, draft: Draft, path: tuple[str, str]) -> Any:
    keys: dict[str, Any] = {"path": test.path.replace("${", "$${")}
    if test.scheme == "https":
        # The certificate is for the name that users know, not for that of the container.
        keys |= {"scheme": "https", "tls": {"verify": False}}
    if test.contains:
        keys["body"] = test.contains.replace("${", "$${")
    headers: dict[str, Any] = {}
    for header, value in test.headers:
        if header.lower() == "authorization" and value.lower().startswith("bearer "):
            keys["bearer_token"] = {"secret": draft.secret((*path, "healthcheck"), f"{name}_token")}
        elif is_secret(header, value):
            headers[header] = {"secret": draft.secret((*path, "healthcheck"), f"{name}_{header}")}
        else:
            headers[header] = value.replace("${", "$${")
    if headers:
        keys["headers"] = headers
    return keys["path"] if len(keys) == 1 else keys
