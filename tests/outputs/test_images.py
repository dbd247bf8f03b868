"""Generated Dockerfiles as text; tests/system/test_images.py builds and runs them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog
from exporter.outputs.base import OutputError
from exporter.outputs.images import render
from exporter.outputs.images.forms import default_value, exec_form, nginx, quoted, shell, word
from tests.outputs.catalogs import ENVIRONMENTS, EXAMPLE, NASTY, catalog_of

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog


def files_of(catalog: Catalog) -> dict[str, str]:
    return {file.path: file.text for file in render(catalog)}


def dockerfile(folder: Path, service: str) -> list[str]:
    """Return the lines of the service's Dockerfile."""
    catalog = catalog_of(folder, f"project: shop\nservices: {{web: {service}}}\n")
    return files_of(catalog)["web/Dockerfile"].splitlines()


def instruction(lines: list[str], name: str) -> str:
    """Return the arguments of an instruction that occurs once."""
    [line] = [line for line in lines if line.startswith(f"{name} ")]
    return line.removeprefix(f"{name} ")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_service_of_the_example_that_is_built_has_its_files(environment: str) -> None:
    catalog = load_catalog(EXAMPLE, environment)
    built = [name for name, service in catalog.services.items() if service.build]
    files = files_of(catalog)
    assert set(files) == {
        *(f"{name}/{file}" for name in built for file in ("Dockerfile", "Dockerfile.dockerignore")),
        *("layout-frontend/nginx.conf", "healthcheck.py"),
    }
    assert files == files_of(load_catalog(EXAMPLE, environment))
    for name, text in files.items():
        assert text.startswith("# Made by `exporter gen`"), name
        assert text.endswith("\n"), name
        assert "# syntax=" not in text


def test_python() -> None:
    lines = files_of(load_catalog(EXAMPLE, "production"))["sys-version-processor/Dockerfile"].splitlines()
    assert lines[2] == "ARG BASE=python:3.12-slim"
    assert instruction(lines, "CMD") == '["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8001"]'
    assert instruction(lines, "EXPOSE") == "8001"
    assert [line for line in lines if line.startswith("USER")] == ["USER 0", "USER 0", "USER 65532:65532"]
    assert 'RUN ["mkdir", "-p", "--", "/app/storage"]' in lines
    assert 'RUN ["chown", "65532:65532", "--", "/app/storage"]' in lines
    assert "COPY --from=build --chown=65532:65532 /opt/venv /opt/venv" in lines
    assert instruction(lines, "HEALTHCHECK").startswith(
        '--interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["python", "-IS", "/opt/healthcheck.py", '
    )
    assert "COPY --chmod=0644 deploy/production/images/healthcheck.py /opt/healthcheck.py" in lines
    assert "COPY 1-SysVersionProcessor /app" in lines


def test_node_serves_on_the_port_of_the_environment() -> None:
    for environment, port in (("production", 80), ("development", 5173)):
        files = files_of(load_catalog(EXAMPLE, environment))
        lines = files["layout-frontend/Dockerfile"].splitlines()
        place = f"deploy/{environment}/images/layout-frontend/nginx.conf"
        assert lines[2:4] == [
            "ARG BUILD_BASE=node:22-slim",
            "ARG BASE=nginxinc/nginx-unprivileged:1.29-alpine",
        ]
        assert instruction(lines, "EXPOSE") == str(port)
        assert f"COPY --chmod=0644 {place} /etc/nginx/nginx.conf" in lines
        text = files["layout-frontend/nginx.conf"]
        assert f"    listen {port};" in text
        assert text.count("listen ") == 1
        assert lines[-1].startswith("      org.opencontainers.image.base.name=")


@pytest.mark.parametrize(
    ("service", "command"),
    [
        (
            "{build: {runtime: python, entry: 'a.b:make'}, port: 1}",
            ["uvicorn", "a.b:make", "--host", "0.0.0.0", "--port", "1"],
        ),
        ("{build: {runtime: python, entry: worker.queue}}", ["python", "-m", "worker.queue"]),
        ("{build: {runtime: python, entry: bin/run.py}}", ["python", "bin/run.py"]),
        ("{build: {runtime: python}, command: [gunicorn, 'a b']}", ["gunicorn", "a b"]),
    ],
)
def test_what_is_started(tmp_path: Path, service: str, command: list[str]) -> None:
    lines = dockerfile(tmp_path, service)
    assert json.loads(instruction(lines, "CMD")) == command
    assert any("uvicorn" in line for line in lines) is (command[0] == "uvicorn")


def test_bases_and_build_arguments(tmp_path: Path) -> None:
    arguments = "{BUILD_BASE: 'node:24', API: /v1, WORDS: 'a $b'}"
    service = f"{{build: {{runtime: node, base: 'my/nginx:1', arguments: {arguments}}}, port: 80}}"
    lines = dockerfile(tmp_path, service)
    assert lines[2:4] == ["ARG BUILD_BASE=node:24", "ARG BASE=my/nginx:1"]
    build = lines[: lines.index("FROM ${BASE} AS final")]
    assert [line for line in build if line.startswith("ARG")][2:] == ["ARG API=/v1", r'ARG WORDS="a \$b"']


def test_node_looks_for_its_pages_where_the_catalog_says(tmp_path: Path) -> None:
    text = "\n".join(dockerfile(tmp_path, '{build: {runtime: node, entry: "my $out\'s"}, port: 80}'))
    assert """for folder in 'my $out'"'"'s'; do""" in text
    service = "{build: {runtime: node}, port: 80, health: '/a%20\"b;{c?d=e'}"
    catalog = catalog_of(tmp_path, f"project: shop\nservices: {{web: {service}}}\n")
    assert r"""location = "/a \"b;{c" {""" in files_of(catalog)["web/nginx.conf"]


@pytest.mark.parametrize(
    "service",
    ["{build: .}", "{build: {context: ., dockerfile: Dockerfile.mine}}", "{image: redis}", "{port: 1}"],
)
def test_a_service_without_a_recipe_gets_no_files(tmp_path: Path, service: str) -> None:
    assert files_of(catalog_of(tmp_path, f"project: shop\nservices: {{web: {service}}}\n")) == {}


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        ("{build: {runtime: python}}", "services.web has no port, and main:app is served on one"),
        ("{build: {runtime: node}}", "services.web has no port for nginx"),
        ("{build: {runtime: python, target: dev}, port: 1}", "services.web.build.target is no stage"),
        (
            '{build: {runtime: node, entry: "a\\nb"}, port: 1}',
            "services.web.build.entry cannot stand in a Dockerfile",
        ),
    ],
)
def test_what_a_recipe_needs(tmp_path: Path, service: str, sentence: str) -> None:
    with pytest.raises(OutputError, match=sentence):
        dockerfile(tmp_path, service)


@pytest.mark.parametrize("context", ["/srv/web", "~/web", "../web", "a/../../web", "we[b]", "a*", "a\\b"])
def test_sources_that_copy_cannot_name(tmp_path: Path, context: str) -> None:
    with pytest.raises(OutputError, match=r"^services\.web\.build\.context (is outside|holds one of)"):
        dockerfile(tmp_path, f"{{build: {{runtime: python, context: {json.dumps(context)}}}, port: 1}}")


def test_sources_of_any_other_name_are_copied(tmp_path: Path) -> None:
    lines = dockerfile(tmp_path, """{build: {runtime: python, context: "the api's $context"}, port: 1}""")
    assert r"""COPY ["the api\\'s \\$context", "/app"]""" in lines
    assert "COPY . /app" in dockerfile(tmp_path, "{build: {runtime: python}, port: 1}")


def test_secrets_inside_the_context_are_ignored_by_their_own_names(tmp_path: Path) -> None:
    text = """
project: shop
services:
  web: {build: {context: ./a b, runtime: python}, port: 1}
  all: {build: {runtime: python}, port: 1}
secrets: {one: {file: "a b/[x] *#.json"}, two: , three: {env: THREE}, four: {file: /etc/four}}
"""
    files = files_of(catalog_of(tmp_path, text))
    web, everything = (files[f"{name}/Dockerfile.dockerignore"].splitlines() for name in ("web", "all"))
    assert [line for line in web if line.startswith(("/", "!", "*")) and not line.startswith("**")] == [
        "*",
        "!/a b",
        "/a b/secrets",
        r"/a b/\[x\] \*#.json",
        "/a b/tests",
        "!/deploy/default/images/healthcheck.py",
    ]
    assert [line for line in everything if line.startswith(("/", "!"))] == [
        "/secrets",
        r"/a b/\[x\] \*#.json",
        "/secrets/two",
        "/deploy",
        "/tests",
        "!/deploy/default/images/healthcheck.py",
    ]
    assert {"**/.env", "**/*.pem", "**/*.key", "**/.git", "**/.venv*"} <= set(web)


def test_forms_of_any_text() -> None:
    assert json.loads(exec_form([NASTY, "-x"])) == [NASTY, "-x"]
    assert exec_form([NASTY]).isascii()
    assert quoted('a "b" $c \\d\ne') == r'"a \"b\" \$c \\d e"'
    assert (word("python:3.12-slim"), word("a b")) == ("python:3.12-slim", '"a b"')
    assert (default_value("x"), default_value(""), default_value("a\nb")) == ("=x", '=""', "")
    assert (shell("$a"), nginx('a"\\')) == ("'$a'", r'"a\"\\"')
