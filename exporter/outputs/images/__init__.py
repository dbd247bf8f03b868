"""Images: a Dockerfile, and what stays out of its build, for each service whose runtime has a recipe.

Recipes are templates beside this module. A service with a Dockerfile of its own, or with neither, gets no files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exporter.outputs.base import File, OutputError, Refusals
from exporter.outputs.durations import engine_duration
from exporter.outputs.health import healthcheck, service_check
from exporter.outputs.images import forms
from exporter.outputs.images.ignored import ignored
from exporter.outputs.images.recipes import RECIPES
from exporter.outputs.yaml_text import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Build, Service

UID = "65532"
"""User and group of every generated image, as others without root have them; its name is app."""
STAGES = ("build", "final")
BASES = ("BASE", "BUILD_BASE")
"""Build arguments that replace the images which a recipe starts from."""

# Autoescape is for HTML; here each value takes the filter of the form that it stands in.
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
    shell=forms.shell,
    nginx=forms.nginx,
)


def render(catalog: Catalog) -> Iterable[File]:
    """`SERVICE/Dockerfile` and `SERVICE/Dockerfile.dockerignore`, which BuildKit reads beside it.

    Raises:
        OutputError: a recipe needs what the service does not say.
    """
    refusals = Refusals()
    for name, service in catalog.services.items():
        if service.build and service.build.runtime:
            with refusals.gathered():
                yield File(f"{name}/Dockerfile", _dockerfile(catalog, name, service, service.build))
                yield File(f"{name}/Dockerfile.dockerignore", ignored(catalog, service.build))
    refusals.end()


def _dockerfile(catalog: Catalog, name: str, service: Service, build: Build) -> str:
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
                "holds ${, which nothing fills in when the generated Dockerfile is built; write the value itself, "
                "or take a Dockerfile of your own",
                *("services", name, *path),
            )
    if build.entry and not build.entry.isprintable():
        raise OutputError(
            "cannot stand in a Dockerfile's command; take its line break out",
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
        "check": service_check(catalog, service),
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
    if recipe.configuration:
        values["configuration"] = _TEMPLATES.get_template(recipe.configuration).render(values).splitlines()
    return _TEMPLATES.get_template(recipe.template).render(values)


def _ports(service: Service) -> list[int]:
    """All that it listens on; the health probe and the metrics may have ports of their own."""
    health = service.health.port if service.health else None
    metrics = service.metrics.port if service.metrics else None
    return sorted({port for port in (service.port, health, metrics) if port})
