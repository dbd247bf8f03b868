"""The health checks that run inside containers, with programs that every such image has.

A Python image uses its own interpreter, because slim images have neither curl nor wget; nginx on Alpine uses busybox's
wget. An image's HEALTHCHECK and Compose's `healthcheck` both take the command from here, so they agree. Each command is
a list of arguments in exec form: no shell reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.services import Service
from exporter.catalog.values.references import parse_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.healthcheck import CheckTimes
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.probes.health import Health

# -I: a module of the application must not replace one of Python's with the same name.
# -S: without site-packages Python starts in half the time.
_PYTHON = ("python", "-IS")
CHECK_FILE = "/opt/healthcheck.py"
"""The path of `images/healthcheck.py` in Python images."""
_ANY_STATUS = ((100, 599),)


def service_check(catalog: Catalog, service: Service) -> list[str] | None:
    """Return the check of a service that is built by a recipe; None if the image's content is unknown.

    Without `health`, or if that has a URL of another host, the service is healthy if its port accepts connections. If
    `health` sends secrets, which do not belong into a container's settings, any status of an answer is healthy.
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


def has_check(catalog: Catalog, container: Container) -> bool:
    """True if the generated files have a health check for the container; its image can have one of its own."""
    own = container.healthcheck
    if own is not None and (own.disabled or own.test):
        return not own.disabled
    return not isinstance(container, Service) or service_check(catalog, container) is not None


def healthcheck(catalog: Catalog, service: Container) -> CheckTimes:
    """Return the interval, timeout and retries of the container's health check."""
    return service.healthcheck or catalog.defaults.healthcheck


def own_url(service: Service) -> str | None:
    """Return the URL of `health` as seen inside the container.

    None without `health`, with a URL of another host, or with references, which do not belong into a container's
    settings.
    """
    health = service.health
    port = (health.port if health else None) or service.port
    path = parse_template(health.path).literal if health else None
    if health is None or health.url or port is None or path is None:
        return None
    return f"{health.scheme}://127.0.0.1:{port}{path}"


def python_check(
    url: str, statuses: Iterable[tuple[int, int]], timeout: float, *, method: str = "GET"
) -> list[str]:
    """Return the command that requests `url` with the image's Python.

    It follows redirects, verifies no certificates and uses no proxies.

    Args:
        statuses: ranges of healthy statuses, both ends included.
        timeout: seconds for one connect or read; the engine's own timeout limits the whole check.
    """
    ranges = [f"{first}-{last}" for first, last in statuses]
    return [*_PYTHON, CHECK_FILE, url, method, f"{timeout:g}", *ranges]


def python_port_check(port: int, timeout: float) -> list[str]:
    """Return the command that connects to the port with the image's Python."""
    return [*_PYTHON, CHECK_FILE, str(port), f"{timeout:g}"]


def wget_check(url: str) -> list[str]:
    """Return the command that requests `url` with busybox's wget; 2xx is healthy, also after redirects.

    It uses no proxy. The engine enforces the timeout: with wget's own `-T`, busybox of Debian 12 crashes.
    """
    return ["wget", "-q", "-Y", "off", "-O", "/dev/null", url]


def _authenticated(health: Health) -> bool:
    return bool(health.headers or health.basic_auth or health.bearer_token or health.send)
