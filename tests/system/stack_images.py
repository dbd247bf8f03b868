"""Images of the monitoring stack, made of this machine's own programs, because registries are not reachable from
everywhere.

Prometheus and Alertmanager are this machine's, in images with busybox, as the real ones have it. The daemon's image
consists of its sources and locked dependencies on the Python image. The socket filter is replaced by one that filters
nothing, so the tests only show that the daemon reaches the engine through it. Grafana is not available; busybox
answers its health check instead.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.outputs.monitoring.programs import ALERTMANAGER_VERSION, GRAFANA_VERSION, PROMETHEUS_VERSION
from exporter.outputs.monitoring.sidecar import IMAGE, PROXY_IMAGE
from tests.components import require
from tests.docker_engine import IMAGE as BUSYBOX
from tests.system.base_images import PYTHON, import_python

if TYPE_CHECKING:
    from tests.docker_engine import DockerEngine

REPOSITORY = Path(__file__).parents[2]

OF_THE_APPLICATION = ("psycopg", "psycopg-binary", "redis")
"""Packages that the application of application_sources.py uses in addition to those of the daemon."""

_FILTER = """
import asyncio
async def carry(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def take(reader, writer):
    engine_reader, engine_writer = await asyncio.open_unix_connection("/var/run/docker.sock")
    await asyncio.gather(carry(reader, engine_writer), carry(engine_reader, writer), return_exceptions=True)
async def main():
    async with await asyncio.start_server(take, "0.0.0.0", 2375) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def import_stack(engine: DockerEngine, folder: Path) -> None:
    """Import all of them; `folder` is an empty one."""
    _program_image(engine, "prometheus", f"prom/prometheus:{PROMETHEUS_VERSION}", "/prometheus")
    _program_image(
        engine, "prometheus-alertmanager", f"prom/alertmanager:{ALERTMANAGER_VERSION}", "/alertmanager"
    )
    page = (
        'RUN mkdir -p /www/api && echo ok >/www/api/health\nCMD ["httpd", "-f", "-p", "3000", "-h", "/www"]\n'
    )
    _build(engine, f"grafana/grafana:{GRAFANA_VERSION}", f"FROM {BUSYBOX}\n{page}", folder)
    import_sidecar(engine, folder)


def import_sidecar(engine: DockerEngine, folder: Path) -> None:
    """Import the daemon's and the filter's, and PYTHON, on which they are based."""
    import_python(engine, _sources())
    start = 'ENTRYPOINT ["python", "-m", "exporter"]'
    text = f"FROM {PYTHON}\nENV PYTHONPATH=/site PYTHONDONTWRITEBYTECODE=1\n{start}\n"
    _build(engine, f"{IMAGE}:{__version__}", text, folder)
    start = json.dumps(["python", "-c", _FILTER])
    _build(engine, PROXY_IMAGE, f"FROM {PYTHON}\nENTRYPOINT {start}\n", folder)


def _sources() -> dict[str, bytes]:
    """Add the daemon and its locked dependencies, as installed here, below /site."""
    found = {path: path.relative_to(REPOSITORY) for path in (REPOSITORY / "exporter").rglob("*")}
    locked = re.findall(r"^([\w.-]+)==", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    for name in (*locked, *OF_THE_APPLICATION):
        try:
            files = distribution(name).files or ()
        except PackageNotFoundError:  # for another version of Python
            continue
        found |= {Path(str(file.locate())): Path(*file.parts) for file in files if ".." not in file.parts}
    taken = {path: place for path, place in found.items() if path.is_file() and path.suffix != ".pyc"}
    # The loader itself is already there, and must stay executable.
    modules = (path for path in taken if path.suffix == ".so")
    libraries = [library for library in _libraries(*modules) if "/ld-" not in library]
    return {f"/site/{place}": path.read_bytes() for path, place in taken.items()} | {
        library: Path(library).read_bytes() for library in libraries
    }


def _libraries(*binaries: Path) -> list[str]:
    """Return the libraries that they load, by absolute paths."""
    said = subprocess.run([require("ldd"), *binaries], capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"(?:=> |^\s+)(/(?:usr/)?lib\S+) \(0x", said, re.MULTILINE)))


def _program_image(engine: DockerEngine, program: str, image: str, folder: str) -> None:
    """Make an image with busybox, the program, its libraries, and a data folder of its user."""
    path = Path(require(program)).resolve()
    shared = Path("/usr/share/prometheus/alertmanager")  # templates, in a separate Debian folder
    files = (str(path), *_libraries(path), *(str(file) for file in shared.glob("*.tmpl")))
    with tempfile.TemporaryDirectory() as context:
        for file in files:
            place = Path(context, "root", file[1:])
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            place.chmod(0o755)
        data = f"RUN mkdir {folder} && chown 65534:65534 {folder}"
        start = f"ENTRYPOINT {json.dumps([str(path)])}"
        _build(engine, image, f"FROM {BUSYBOX}\nCOPY root /\n{data}\n{start}\n", Path(context))


def _build(engine: DockerEngine, image: str, dockerfile: str, context: Path) -> None:
    (context / "Dockerfile").write_text(dockerfile)
    engine.docker("build", "--quiet", "--tag", image, str(context))
