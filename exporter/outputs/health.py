"""What a container engine runs inside a container to see whether it is healthy: nothing that the image may lack.

A Python image is asked by its own interpreter, since slim images have neither curl nor wget; nginx on Alpine by busybox
with its wget. HEALTHCHECK of an image and `healthcheck` of Compose both take the command from here, so they agree.
Every command is a list of arguments, for exec forms: no shell reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.values.references import parse_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.healthcheck import HealthCheck
    from exporter.catalog.keys.probes.health import Health
    from exporter.catalog.keys.services import Service

# -I and -S: a module of the application that is named like one of Python's must not be imported in its place, and
# without site-packages the start takes half the time.
_PYTHON = ("python", "-IS", "-c")
_ASK = (
    "import ssl, sys, urllib.request as r; "
    "url, method, timeout, *statuses = sys.argv[1:]; "
    "r.HTTPDefaultErrorHandler.http_error_default = lambda self, request, answer, *rest: answer; "
    "tls = r.HTTPSHandler(context=ssl._create_unverified_context()); "
    "ask = r.build_opener(r.ProxyHandler({}), tls).open; "
    "status = ask(r.Request(url, method=method), timeout=float(timeout)).status; "
    "ranges = [[int(code) for code in item.split('-')] for item in statuses]; "
    "any(first <= status <= last for first, last in ranges) or sys.exit(f'{url} answered {status}')"
)
_CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), float(sys.argv[2]))"
_ANY_STATUS = ((100, 599),)


def service_check(catalog: Catalog, service: Service) -> list[str] | None:
    """The check of a service that is built by a recipe; None where nothing is known of what the image holds.

    Without `health`, or where it is a URL of somewhere else, what listens on the port is healthy. An answer of any
    status is, where `health` sends secrets: those do not belong into the settings of a container.
    """
    runtime = service.build.runtime if service.build else None
    timeout = healthcheck(catalog, service).timeout
    url = own_url(service)
    if runtime == "node" and service.port:
        return wget_check(url or f"http://127.0.0.1:{service.port}/")
    if runtime == "python" and service.health and url:
        health = service.health
        statuses = _ANY_STATUS if _authenticated(health) else health.status
        return python_check(url, statuses, timeout, method=health.method)
    if runtime == "python" and service.port:
        return python_port_check(service.port, timeout)
    return None


def healthcheck(catalog: Catalog, service: Service) -> HealthCheck:
    """How often the engine asks, and how long it waits."""
    return service.healthcheck or catalog.defaults.healthcheck


def own_url(service: Service) -> str | None:
    """What `health` asks, from inside the container; None without one, or if it asks a URL of somewhere else or
    with references, which have no place in the settings of a container."""
    health = service.health
    port = (health.port if health else None) or service.port
    path = parse_template(health.path).literal if health else None
    if health is None or health.url or port is None or path is None:
        return None
    return f"{health.scheme}://127.0.0.1:{port}{path}"


def python_check(
    url: str, statuses: Iterable[tuple[int, int]], timeout: float, *, method: str = "GET"
) -> list[str]:
    """Ask `url` with the image's Python. Redirects are followed, certificates not judged, proxies not used.

    Args:
        statuses: ranges of what counts as healthy, both ends included.
        timeout: seconds of one read or connect; the engine's own ends the whole.
    """
    ranges = [f"{first}-{last}" for first, last in statuses]
    return [*_PYTHON, _ASK, url, method, f"{timeout:g}", *ranges]


def python_port_check(port: int, timeout: float) -> list[str]:
    """Whether something listens on the port, asked with the image's Python."""
    return [*_PYTHON, _CONNECT, str(port), f"{timeout:g}"]


def wget_check(url: str) -> list[str]:
    """Ask `url` with busybox's wget; healthy is 2xx, perhaps after redirects. No proxy is used.

    The engine ends it when its time is over. wget's own `-T` is not used: busybox of Debian 12 crashes on it.
    """
    return ["wget", "-q", "-Y", "off", "-O", "/dev/null", url]


def _authenticated(health: Health) -> bool:
    return bool(health.headers or health.basic_auth or health.bearer_token or health.send)
