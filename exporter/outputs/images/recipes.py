"""The recipes by runtime: template, base images and command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from exporter.catalog.values.references import parse_template
from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.catalog.keys.services import Build, Service

MAIN = "main:app"
PAGES = ("dist", "build")
"""The folders where Vite and Create React App put their pages."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe. `values` returns the template's values of this runtime; `configuration` is a template of nginx.conf."""

    template: str
    base: str
    values: Callable[[str, Service, Build], dict[str, Any]]
    build_base: str = ""
    configuration: str = ""


def _python(name: str, service: Service, build: Build) -> dict[str, Any]:
    """Return the values of Python; `entry` is an ASGI application MODULE:NAME, a file *.py, or a module to run."""
    entry = build.entry or MAIN
    asgi = ":" in entry and not service.command
    if asgi and service.port is None:
        raise OutputError(
            f"has no port, but {entry} is served on one; write port, or name a module in build.entry",
            "services",
            name,
        )
    if service.command:
        command = list(service.command)
    elif asgi:
        command = ["uvicorn", entry, "--host", "0.0.0.0", "--port", str(service.port)]  # noqa: S104 - in a container
    else:
        command = ["python", entry] if entry.endswith(".py") else ["python", "-m", entry]
    return {"asgi": asgi, "command": command}


def _node(name: str, service: Service, build: Build) -> dict[str, Any]:
    """Return the values of Node; `entry` is the folder of the pages after `npm run build`."""
    if service.port is None:
        raise OutputError("has no port for nginx to serve its pages on; write port", "services", name)
    path = parse_template(service.health.path).literal if service.health else None
    path = unquote(path.partition("?")[0]) if path else "/"
    return {
        "folders": (build.entry,) if build.entry else PAGES,
        "health_path": "" if path == "/" else path,
        "command": list(service.command)
        or ["nginx", "-e", "stderr", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"],
    }


RECIPES = {
    "python": Recipe("python.Dockerfile.j2", "python:3.12-slim", _python),
    "node": Recipe(
        "node.Dockerfile.j2",
        "nginxinc/nginx-unprivileged:1.29-alpine",
        _node,
        build_base="node:22-slim",
        configuration="nginx.conf.j2",
    ),
}
