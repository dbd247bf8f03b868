"""Base images made of this machine's own programs, because image registries are not reachable from everywhere.

Each contains busybox, one real program with the libraries that it loads, and nothing else:

- PYTHON replaces python:3.12-slim: the interpreter that runs the tests, its standard library, and pip. Wheels of
  uvicorn are in /wheels instead of a package registry; PIP_CONF points pip at them.
- NGINX replaces nginxinc/nginx-unprivileged:1.29-alpine: the machine's nginx.
- NODE replaces node:22-slim, without Node. Its `npm` is a script that puts the page, one asset and the build argument
  GREETING into dist.
"""

from __future__ import annotations

import io
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

from tests.components import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.docker_engine import DockerEngine

PYTHON = "stand-in-python:local"
NGINX = "stand-in-nginx:local"
NODE = "stand-in-node:local"
PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"

_NPM = """#!/bin/sh
set -eu
case "$1" in
  ci) grep -q lockfileVersion package-lock.json; mkdir node_modules ;;
  run) test -d node_modules; mkdir -p dist/assets; cp index.html dist/; cp main.js dist/assets/main-1a2b3c.js
    printf %s "$GREETING" >dist/greeting.txt ;;
esac
"""
_OF_SLIM = (
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libm.so.6",
    "librt.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "libresolv.so.2",
)
_WITHOUT = re.compile(
    r"(^|/)(test|tests|idlelib|tkinter|turtledemo|config-[^/]*|[^/]*\.a|site-packages)(/|$)"
)


def import_python(engine: DockerEngine, files: Mapping[str, bytes] | None = None) -> None:
    """Import PYTHON, with wheels of uvicorn and its dependencies. `files`: additional files, by absolute path."""
    root = Root()
    for path, content in (files or {}).items():
        root.file(path, content)
    interpreter = add_python(root)
    packages = _packages_of(interpreter)
    for file in distribution("pip").files or ():
        if file.suffix != ".pyc":
            root.file(os.path.normpath(packages / file), file.read_binary())
    for name in ("uvicorn", "click", "h11"):
        file_name, content = _wheel(name)
        root.file(f"/wheels/{file_name}", content)
    root.import_as(engine, PYTHON)


def add_python(root: Root) -> Path:
    """Add the interpreter that runs the tests and its standard library, and return its path."""
    interpreter = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}").resolve()
    library = Path(sysconfig.get_path("stdlib"))
    root.program(interpreter, *(library / "lib-dynload").glob("*.so"), *_libraries_of_slim())
    for name in ("python", "python3"):
        root.link(f"/usr/local/bin/{name}", str(interpreter))
    root.folder(library)
    return interpreter


def import_nginx(engine: DockerEngine) -> None:
    """Import NGINX."""
    root = Root()
    nginx = Path(require("nginx")).resolve()
    root.program(nginx)
    root.link("/usr/bin/nginx", str(nginx))
    root.file("/etc/nginx/mime.types", Path("/etc/nginx/mime.types").read_bytes())
    root.import_as(engine, NGINX)


def import_node(engine: DockerEngine) -> None:
    """Import NODE."""
    root = Root()
    root.file("/usr/local/bin/npm", _NPM.encode(), 0o755)
    root.import_as(engine, NODE)


def _libraries_of_slim() -> list[Path]:
    """Return the libraries that python:3.12-slim has for wheels, although its interpreter does not load them."""
    command = [require("ldconfig"), "-p"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    machine = "x86-64" if platform.machine() == "x86_64" else "AArch64"
    return [Path(re.findall(rf"{re.escape(name)} \(.*{machine}.*\) => (\S+)", said)[0]) for name in _OF_SLIM]


class Root:
    """A root file system under construction: busybox with all of its applets, /tmp, and root as the only user."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        self._archive = tarfile.open(fileobj=self._bytes, mode="w")  # noqa: SIM115 - closed on import
        self._added: set[str] = set()
        busybox = Path(require("busybox")).resolve()
        self.file("/bin/busybox", busybox.read_bytes(), 0o755)
        applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
        for applet in set(applets.split()) - {"busybox"}:
            self.link(f"/bin/{applet}", "busybox")
        self.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        self.file("/etc/group", b"root:x:0:\n")
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        self._archive.addfile(tmp)

    def file(self, path: str, content: bytes, mode: int = 0o644, modified: float = 0) -> None:
        if path not in self._added:
            self._added.add(path)
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(content), mode, int(modified)
            self._archive.addfile(entry, io.BytesIO(content))

    def link(self, path: str, target: str) -> None:
        if path not in self._added and path != target:
            self._added.add(path)
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            self._archive.addfile(entry)

    def program(self, program: Path, *modules: Path) -> None:
        """Add a program and the libraries that it and its modules load, at the paths where this machine's loader
        finds them."""
        self.file(str(program), program.read_bytes(), 0o755)
        for library in (*_libraries((program, *modules)), *(str(path) for path in modules)):
            self.file(library, Path(library).read_bytes(), 0o755)

    def folder(self, folder: Path) -> None:
        """Add all files below a folder, except installed packages and files that only developers of Python need."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not _WITHOUT.search(str(path.relative_to(folder))):
                # Keep their times, or compiled files would be out of date.
                self.file(str(path), path.read_bytes(), 0o755, path.stat().st_mtime)

    def import_as(self, engine: DockerEngine, image: str) -> None:
        self._archive.close()
        file = engine.folder / "root.tar"
        file.write_bytes(self._bytes.getvalue())
        engine.docker("import", str(file), image)
        file.unlink()


def _packages_of(interpreter: Path) -> Path:
    """Return the folders in which it looks for installed packages outside virtual environments."""
    command = [str(interpreter), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def _libraries(binaries: Iterable[Path]) -> list[str]:
    """Return the absolute paths that ldd prints."""
    command = [require("ldd"), *map(str, binaries)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, re.MULTILINE)))


def _wheel(name: str) -> tuple[str, bytes]:
    """Return the name and content of the wheel of an installed pure-Python package."""
    installed = distribution(name)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in installed.files or ():
            if (
                ".." not in file.parts
                and file.suffix != ".pyc"
                and file.name not in ("INSTALLER", "REQUESTED")
            ):
                archive.writestr(str(file), file.read_binary())
    return f"{name}-{installed.version}-py3-none-any.whl", content.getvalue()
