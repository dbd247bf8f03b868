"""Images of services: their pinned names, and how they are built."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from exporter.outputs.base import OutputError
from exporter.outputs.compose.names import ROOT
from exporter.outputs.compose.text import interpolated, literal, required

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Build, Service

_VARIABLE = re.compile(r"\$\{[^}]*\}")
TAG = "TAG"
_TAG_HINT = "set it to the release that is deployed, such as its commit"


def is_pinned(image: str) -> bool:
    """True if the image has a tag or a digest, or ends with a variable, which may hold one."""
    shape = _VARIABLE.sub("$", image)
    last = shape.rpartition("/")[2]
    return ":" in last or "@" in shape or last.endswith("$")


def tag_variable(name: str) -> str:
    """The variable that pins the image of a service whose catalog gives no tag."""
    return re.sub("[^A-Z0-9]", "_", name.upper()) + "_TAG"


def pinned(image: str, name: str, where: str) -> str:
    """The reference as Compose reads it. The person who starts it chooses the tag where the catalog has none."""
    if is_pinned(image):
        return interpolated(image)
    return f"{interpolated(image)}:{required(tag_variable(name), f'{where} has no tag, so set one here or there')}"


def service_image(catalog: Catalog, name: str, service: Service) -> str:
    """The image's reference as Compose reads it, always with a tag or a digest."""
    if service.build is None:
        return pinned(service.image or "", name, f"services.{name}.image")
    image = service.image or f"{catalog.registry or catalog.project}/{name}"
    if is_pinned(image):
        return interpolated(image)
    tag = catalog.environment.tag
    return f"{interpolated(image)}:{required(TAG, _TAG_HINT) if tag is None else literal(tag)}"


def build_keys(catalog: Catalog, name: str, build: Build) -> dict[str, Any]:
    """`build` of a Compose service. Both versions of Compose read `dockerfile` from the context.

    Raises:
        OutputError: a generated Dockerfile has no path from the context that holds on every machine.
    """
    keys: dict[str, Any] = {"context": literal(host_path(build.context))}
    if build.runtime:
        keys["dockerfile"] = literal(_generated_dockerfile(catalog, name, build))
    elif build.dockerfile:
        keys["dockerfile"] = literal(build.dockerfile)
    if build.target:
        keys["target"] = literal(build.target)
    if build.arguments:
        keys["args"] = {key: interpolated(value) for key, value in build.arguments.items()}
    return keys


def host_path(path: str) -> str:
    """A path of the catalog, seen from the folder of the Compose file. Both versions read a `~` as the home folder."""
    if path.startswith(("/", "~")):
        return path
    return posixpath.normpath(f"{ROOT}/{path}")


def _generated_dockerfile(catalog: Catalog, name: str, build: Build) -> str:
    context = posixpath.normpath(build.context)
    if context.startswith(("/", "~")) or context.split("/")[0] == "..":
        raise OutputError(
            "is outside the catalog's folder, and from there the generated Dockerfile "
            "has no path that holds on every machine; move the sources below the catalog, "
            "or write a Dockerfile of your own beside them and name it in dockerfile",
            *("services", name, "build", "context"),
        )
    up = posixpath.join(*([".."] * len([part for part in context.split("/") if part != "."])), "")
    return f"{up}deploy/{catalog.environment_name}/images/{name}/Dockerfile"
