"""Images of services: their pinned references, and how they are built."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.variables import WRITTEN
from exporter.outputs.base import OutputError
from exporter.outputs.compose.text import ROOT, interpolated, literal, required
from exporter.outputs.contexts import check_context, images_folder

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Build, Service

_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
TAG = "TAG"
_TAG_HINT = "set it to the deployed release, such as its commit"


def is_pinned(image: str) -> bool:
    """True if the image has a tag or a digest, or ends with a variable, which may contain one."""
    shape = WRITTEN.sub("$", image)
    last = shape.rpartition("/")[2]
    return ":" in last or "@" in shape or last.endswith("$")


def tag_variable(name: str) -> str:
    """Return the variable that pins the image of a service without a tag in the catalog."""
    return re.sub("[^A-Z0-9]", "_", name.upper()) + "_TAG"


def pinned(image: str, name: str, where: str) -> str:
    """Return the reference in Compose's syntax, with a variable for the tag if the catalog has none."""
    if is_pinned(image):
        return interpolated(image)
    return (
        f"{interpolated(image)}:{required(tag_variable(name), f'{where} has no tag; set it here or there')}"
    )


def service_image(catalog: Catalog, name: str, service: Service) -> str:
    """Return the image's reference in Compose's syntax, always with a tag or a digest."""
    if service.build is None:
        return pinned(service.image or "", name, f"services.{name}.image")
    image = service.image or f"{catalog.registry or catalog.project}/{_repository(name)}"
    if is_pinned(image):
        return interpolated(image)
    tag = catalog.environment.tag
    return f"{interpolated(image)}:{required(TAG, _TAG_HINT) if tag is None else literal(tag)}"


def _repository(name: str) -> str:
    """Return the name of a service as that of an image, which has no capitals and no two signs next to each other.

    Raises:
        OutputError: it cannot be one.
    """
    lower = name.lower()
    if not _REPOSITORY.fullmatch(lower):
        raise OutputError(
            "is built, but its name cannot be the name of an image; write image, such as registry/name",
            "services",
            name,
        )
    return lower


def build_keys(catalog: Catalog, name: str, build: Build) -> dict[str, Any]:
    """Return `build` of a Compose service. Both versions of Compose read `dockerfile` relative to the context.

    Raises:
        OutputError: a generated Dockerfile cannot have this context.
    """
    keys: dict[str, Any] = {"context": literal(host_path(build.context))}
    if build.runtime:
        # A generated Dockerfile copies files from the sources and from its own folder.
        check_context(name, build)
        keys = {"context": ROOT, "dockerfile": literal(f"{images_folder(catalog)}/{name}/Dockerfile")}
    elif build.dockerfile:
        keys["dockerfile"] = literal(build.dockerfile)
    if build.target:
        keys["target"] = literal(build.target)
    if build.arguments:
        keys["args"] = {key: interpolated(value) for key, value in build.arguments.items()}
    return keys


def host_path(path: str) -> str:
    """Return a catalog path relative to the Compose file's folder. Both versions of Compose expand `~`."""
    if path.startswith(("/", "~")):
        return path
    return posixpath.normpath(f"{ROOT}/{path}")
