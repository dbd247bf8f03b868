"""The generated Dockerfiles, built and run on a real engine, with every name and text as awkward as the catalog
allows.

No registry of images or packages is used: the bases are substitutes (tests/system/base_images.py), given as build
arguments, and the build itself has no network.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.outputs.images import render
from tests.components import require
from tests.docker_engine import DockerEngine
from tests.outputs.catalogs import NASTY, NASTY_YAML, catalog_of, rendered
from tests.system.base_images import (
    NGINX,
    NODE,
    PIP_CONF,
    PYTHON,
    import_nginx,
    import_node,
    import_python,
)
from tests.system.building import build, logs, own_environment
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(400)

UID = "65532"
GREETING = r'a "b" $c $(d) \e `f` #g ü'
VOLUME = '/app/it\'s "my" $data `x`'
CATALOG = f"""
project: shop
title: {NASTY_YAML}
defaults: {{healthcheck: {{interval: 1s, timeout: 5s, retries: 20, start_period: 1s}}}}
services:
  api:
    description: {NASTY_YAML}
    build:
      context: "./the api's $context"
      runtime: python
      arguments: {{LINES: {NASTY_YAML}}}
    port: 8000
    health: "/health?a='b\\"&c=$d"
    volumes: [{{source: data, target: {json.dumps(VOLUME)}}}]
  worker:
    build: {{context: ./worker, runtime: python, entry: the_worker}}
  job:
    build: {{context: ./worker, runtime: python}}
    command: [python, -c, "import sys; print(ascii(sys.argv[1:]))", {NASTY_YAML}, -x]
  pages:
    description: {NASTY_YAML}
    build: {{context: ./pages, runtime: node, arguments: {{GREETING: '{GREETING}'}}}}
    port: 80
    health: /health
volumes: {{data: }}
secrets: {{token: {{file: "the api's $context/my *token"}}}}
"""
APPLICATION = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        healthy = scope["path"] == "/health"
        await send({"type": "http.response.start", "status": 200 if healthy else 404, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})
"""
SECRETS = (
    ".env",
    "deep/er/.env.local",
    "secrets/password",
    "tls.key",
    "deep/cert.pem",
    "my *token",
    ".git/config",
)
FOLDERS = {"api": "the api's $context", "worker": "worker", "job": "worker", "pages": "pages"}
BASES = {
    "api": {"BASE": PYTHON},
    "worker": {"BASE": PYTHON},
    "job": {"BASE": PYTHON},
    "pages": {"BASE": NGINX, "BUILD_BASE": NODE},
}
IMAGES = "deploy/default/images"
HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


class Workshop:
    """An engine with the bases, and the sources of the catalog's services."""

    def __init__(self, folder: Path, engine: DockerEngine) -> None:
        self.folder = folder
        self.engine = engine
        rendered(render, catalog_of(folder, CATALOG), folder / IMAGES)
        (folder / "pip.conf").write_text(PIP_CONF)

    def context(self, service: str) -> Path:
        return self.folder / FOLDERS[service]

    def build(self, service: str, root: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Build it and return all output of the engine."""
        arguments = {
            **BASES[service],
            "VERSION": "1.2.3",
            "REVISION": "abc",
            "CREATED": "2026-11-24T00:00:00Z",
        }
        return build(
            self.engine,
            root or self.folder,
            *(
                "--network=none",
                "--file",
                str(self.folder / f"{IMAGES}/{service}/Dockerfile"),
                "--tag",
                service,
            ),
            *("--secret", f"id=pip.conf,src={self.folder / 'pip.conf'}"),
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        )

    def run(self, service: str, *options: str) -> str:
        """Run a container with the restrictions that Compose sets and return its id."""
        return self.engine.docker("run", "--detach", *HARDENED, *options, service)

    def execute(self, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a running container; it may fail."""
        exec_command = [require("docker"), "--host", self.engine.host, "exec", container, *command]
        return subprocess.run(exec_command, env=own_environment(), capture_output=True, text=True)

    def once(self, service: str, *command: str, user: str = f"{UID}:{UID}") -> str:
        """Return the output of a command in a new container, which can write wherever the user can."""
        return self.engine.docker(
            "run", "--rm", "--user", user, "--entrypoint", command[0], service, *command[1:]
        )

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        return dict(json.loads(self.engine.docker(kind, "inspect", name))[0])

    def until_healthy(self, container: str) -> None:
        def health() -> str:
            state = self.inspect("container", container)["State"]
            assert state["Running"], logs(self.engine, container)
            assert state["Health"]["Status"] != "unhealthy", state["Health"]
            return str(state["Health"]["Status"])

        until(lambda: health() == "healthy", f"{container} to be healthy", 60)


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with tempfile.TemporaryDirectory(prefix="images-") as folder, DockerEngine(Path(folder)) as engine:
        import_python(engine)
        import_nginx(engine)
        import_node(engine)
        workshop = Workshop(Path(folder), engine)
        _write_sources(workshop)
        for service in FOLDERS:
            built = workshop.build(service)
            assert built.returncode == 0, built.stderr
        yield workshop
        engine.remove_all()


def _write_sources(workshop: Workshop) -> None:
    api, worker, pages = (workshop.context(service) for service in ("api", "worker", "pages"))
    _write(api, "main.py", APPLICATION)
    _write(api, "requirements.txt", "uvicorn\n")
    (api / "main.py").chmod(0o600)
    # Modules with the names of Python's own, which the health check must not import.
    for name in ("ssl", "socket"):
        _write(api, f"{name}.py", "raise SystemExit(7)\n")
    for path in SECRETS:
        _write(api, path, "hunter2")
    _write(worker, "the_worker.py", "import time, click\nprint('at work', flush=True)\ntime.sleep(1000)\n")
    _write(
        worker, "pyproject.toml", '[project]\nname = "worker"\nversion = "1"\ndependencies = ["click>=8"]\n'
    )
    _write(pages, "package.json", "{}")
    _write(pages, "package-lock.json", '{"lockfileVersion": 3}')
    _write(pages, "index.html", '<div id="root"></div>')
    _write(pages, "main.js", "1;" * 1000)


def _write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


def test_a_python_service_is_healthy_with_everything_taken_away(workshop: Workshop) -> None:
    container = workshop.run(
        "api", "--mount", f'type=volume,source=data,"target={VOLUME.replace(chr(34), chr(34) * 2)}"'
    )
    workshop.until_healthy(container)
    execute = ("exec", container)
    assert workshop.engine.docker(*execute, "id", "-u") == UID
    assert workshop.engine.docker(*execute, "id", "-un") == "app"
    # The volume is new: it belongs to the user because its folder in the image does.
    workshop.engine.docker(*execute, "touch", f"{VOLUME}/-written")
    assert workshop.engine.docker(*execute, "ls", VOLUME) == "-written"
    workshop.engine.docker("stop", "--time", "20", container)
    assert workshop.inspect("container", container)["State"]["ExitCode"] == 0


def test_the_health_check_says_why(workshop: Workshop) -> None:
    check = workshop.inspect("image", "api")["Config"]["Healthcheck"]["Test"]
    container = workshop.run("api")
    workshop.until_healthy(container)
    nowhere = [argument.replace("/health?", "/nowhere?") for argument in check[1:]]
    done = workshop.execute(container, *nowhere)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("answered 404")


def test_a_python_image_has_no_tool_to_build_with(workshop: Workshop) -> None:
    look = "for tool in pip pip3 gcc cc g++ make npm; do command -v $tool; done; find / -xdev -type f -path '*/pip/*'"
    assert workshop.once("api", "sh", "-c", f"{look}; true", user="0") == ""
    for python in ("/opt/venv/bin/python", "/usr/local/bin/python3"):
        for module in ("pip", "ensurepip"):
            with pytest.raises(AssertionError, match=f"No module named {module}"):
                workshop.once("api", python, "-m", module, "--version")


def test_what_the_user_owns_and_what_it_may_not_change(workshop: Workshop) -> None:
    owners = workshop.once("api", "stat", "-c", "%n %u %a", "/opt/venv", "/app", "/app/main.py")
    assert owners.splitlines() == ["/opt/venv 65532 755", "/app 0 755", "/app/main.py 0 644"]
    with pytest.raises(AssertionError, match="Permission denied"):
        workshop.once("api", "touch", "/app/main.py", "/app/new.py")
    assert "/app/__pycache__/main.cpython" in workshop.once("api", "find", "/app/__pycache__")


def test_no_secret_of_the_context_gets_into_the_image(workshop: Workshop) -> None:
    files = workshop.once("api", "find", "/app", user="0").splitlines()
    assert "/app/main.py" in files
    assert not [path for path in SECRETS if f"/app/{path}" in files]
    search = "grep -rl hunter2 /app /opt /etc || echo none"
    assert workshop.once("api", "sh", "-c", search, user="0") == "none"
    history = workshop.engine.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", "api")
    assert "no-index" not in history


@pytest.mark.parametrize("service", ["api", "pages"])
def test_any_text_is_a_label(workshop: Workshop, service: str) -> None:
    labels = workshop.inspect("image", service)["Config"]["Labels"]
    text = re.sub(r"[^\x20-\x7eü🚀]", " ", NASTY)
    assert labels == {
        "org.opencontainers.image.title": service,
        "org.opencontainers.image.description": text,
        "org.opencontainers.image.vendor": text,
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": "abc",
        "org.opencontainers.image.created": "2026-11-24T00:00:00Z",
        "org.opencontainers.image.base.name": BASES[service]["BASE"],
    }


def test_editing_a_source_does_not_install_again(workshop: Workshop) -> None:
    _write(workshop.context("api"), "other.py", "VALUE = 1\n")
    said = workshop.build("api").stderr
    step = re.search(r"#(\d+) \[build [^\]]*\] RUN --mount=type=cache", said)
    assert step, said
    assert f"#{step[1]} CACHED" in said


def test_a_module_without_a_port_runs_on_the_dependencies_of_its_project(workshop: Workshop) -> None:
    container = workshop.run("worker")
    until(lambda: "at work" in logs(workshop.engine, container), "the worker's line")
    assert "Health" not in workshop.inspect("container", container)["State"]


def test_any_text_is_a_command(workshop: Workshop) -> None:
    assert workshop.engine.docker("run", "--rm", "job") == ascii([NASTY, "-x"])


def test_pages_are_served_on_port_80_by_nobody_special(workshop: Workshop) -> None:
    container = workshop.run("pages")
    workshop.until_healthy(container)

    def get(path: str) -> str:
        done = workshop.execute(container, "wget", "-S", "-O", "-", "-Y", "off", f"http://127.0.0.1{path}")
        return done.stderr + done.stdout

    assert workshop.engine.docker("exec", container, "id", "-un") == "app"
    page = get("/")
    assert '<div id="root">' in page
    assert "Cache-Control: no-cache" in page
    assert "X-Content-Type-Options: nosniff" in page
    assert '<div id="root">' in get("/orders/17")
    assert get("/health").endswith("ok\n")
    assert get("/greeting.txt").endswith(GREETING)
    assert "immutable" in get("/assets/main-1a2b3c.js")
    gone = get("/assets/main-0.js")
    assert "404" in gone
    assert "immutable" not in gone
    workshop.engine.docker("stop", "--time", "20", container)
    assert workshop.inspect("container", container)["State"]["ExitCode"] == 0


@pytest.mark.parametrize(
    ("service", "files", "sentence"),
    [
        (
            "api",
            {"main.py": ""},
            "api: its build context has neither requirements.txt nor pyproject.toml; add one",
        ),
        ("api", {"requirements.txt": "click\n"}, "api: its requirements do not include uvicorn"),
        ("pages", {"package.json": "{}"}, "pages: its build context has no package-lock.json"),
    ],
)
def test_a_context_that_lacks_something_is_told_what(
    workshop: Workshop, tmp_path: Path, service: str, files: dict[str, str], sentence: str
) -> None:
    shutil.copytree(workshop.folder / "deploy", tmp_path / "deploy")
    for path, text in files.items():
        _write(tmp_path / FOLDERS[service], path, text)
    built = workshop.build(service, tmp_path)
    assert built.returncode != 0
    assert sentence in built.stderr
