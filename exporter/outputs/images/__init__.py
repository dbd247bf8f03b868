"""Images: a Dockerfile and its ignore file for each service whose runtime has a recipe.

Recipes are templates next to this module. A service without a runtime, with or without its own Dockerfile, gets none.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exporter.outputs.base import File, OutputError, Refusals
from exporter.outputs.contexts import check_context, copy_form, images_folder, sources
from exporter.outputs.durations import engine_duration
from exporter.outputs.health import CHECK_FILE, healthcheck, service_check
from exporter.outputs.images import forms
from exporter.outputs.images.ignored import ignored
from exporter.outputs.images.recipes import RECIPES
from exporter.outputs.yaml_text import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Build, Service

UID = "65532"
"""User and group, both named app, of every generated image; other images without root use the same number."""
STAGES = ("build", "final")
NGINX, HEALTHCHECK = "nginx.conf", "healthcheck.py"
BASES = ("BASE", "BUILD_BASE")
"""Build arguments that replace a recipe's base images."""

# Autoescape is for HTML; here each value goes through the filter for its place.
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - the files are no HTML
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters.update(
    word=forms.word,
    quoted=forms.quoted,
    default_value=forms.default_value,
    exec_form=forms.exec_form,
    copy=copy_form,
    shell=forms.shell,
    nginx=forms.nginx,
)


def render(catalog: Catalog) -> Iterable[File]:
    """Yield `SERVICE/Dockerfile`, `SERVICE/Dockerfile.dockerignore`, which BuildKit reads, and the files it copies.

    Raises:
        OutputError: the service lacks something that its recipe needs.
    """
    refusals, checked = Refusals(), False
    for name, service in catalog.services.items():
        if service.build and service.build.runtime:
            with refusals.gathered():
                yield from _files(catalog, name, service, service.build)
                checked |= service.build.runtime == "python" and service_check(catalog, service) is not None
    refusals.end()
    if checked:
        program = Path(__file__).with_name(HEALTHCHECK).read_text(encoding="utf-8")
        yield File(HEALTHCHECK, f"# {NOTICE}\n{program}")


def _files(catalog: Catalog, name: str, service: Service, build: Build) -> Iterable[File]:
    check_context(name, build)
    if build.target not in (None, *STAGES):
        raise OutputError(
            f"is no stage of a generated Dockerfile; write {' or '.join(STAGES)}",
            *("services", name, "build", "target"),
        )
    for path, texts in (
        (("command",), service.command),
        *((("build", "arguments", key), (value,)) for key, value in build.arguments.items()),
    ):
        if any("${" in text for text in texts):
            raise OutputError(
                "contains ${, which is not filled in when the generated Dockerfile is built; write the value itself, "
                "or use your own Dockerfile",
                *("services", name, *path),
            )
    if build.entry and not build.entry.isprintable():
        raise OutputError(
            "cannot be used in a Dockerfile's command; remove its line break",
            *("services", name, "build", "entry"),
        )
    recipe = RECIPES[str(build.runtime)]
    times = healthcheck(catalog, service)
    values: dict[str, Any] = {
        "notice": NOTICE,
        "service": name,
        "description": service.description,
        "vendor": catalog.title or catalog.project,
        "uid": UID,
        "base": build.arguments.get("BASE") or build.base or recipe.base,
        "build_base": build.arguments.get("BUILD_BASE") or recipe.build_base,
        "arguments": {key: value for key, value in build.arguments.items() if key not in BASES},
        "volumes": sorted(
            {mount.target for mount in service.volumes if mount.volume and not mount.read_only}
        ),
        "ports": _ports(service),
        "images": images_folder(catalog),
        "sources": partial(sources, build),
        "check": service_check(catalog, service),
        "check_file": CHECK_FILE,
        "check_options": " ".join(
            (
                f"--interval={engine_duration(times.interval)}",
                f"--timeout={engine_duration(times.timeout)}",
                f"--start-period={engine_duration(times.start_period)}",
                f"--retries={times.retries}",
            )
        ),
    }
    values |= recipe.values(name, service, build)
    yield File(f"{name}/Dockerfile", _TEMPLATES.get_template(recipe.template).render(values))
    copied = [f"{name}/{NGINX}"] if recipe.configuration else [HEALTHCHECK]
    yield File(f"{name}/Dockerfile.dockerignore", ignored(catalog, build, copied))
    if recipe.configuration:
        yield File(f"{name}/{NGINX}", _TEMPLATES.get_template(recipe.configuration).render(values))


def _ports(service: Service) -> list[int]:
    """Return all ports that the service listens on; health and metrics may have their own."""
    health = service.health.port if service.health else None
    metrics = service.metrics.port if service.metrics else None
    return sorted({port for port in (service.port, health, metrics) if port})
