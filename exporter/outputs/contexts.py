"""The context of a generated Dockerfile: the catalog's folder, of which its ignore file leaves only what it copies."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING

from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Build

_PLAIN = re.compile(r"[A-Za-z0-9_./*@\[\]-]+")
_PATTERN = frozenset("*?[]\\")


def images_folder(catalog: Catalog) -> str:
    """Return the folder of the generated files of images, from the catalog's."""
    return f"deploy/{catalog.environment_name}/images"


def check_context(name: str, build: Build) -> None:
    """See that COPY can name the sources.

    Raises:
        OutputError: they are outside the catalog's folder, or COPY would read their path as a pattern.
    """
    where = ("services", name, "build", "context")
    context = posixpath.normpath(build.context)
    if context.startswith(("/", "~")) or context.split("/")[0] == "..":
        raise OutputError(
            "is outside the catalog's folder, which is the build context of a generated Dockerfile; move the sources "
            "below the catalog, or write a Dockerfile of your own beside them and name it in dockerfile",
            *where,
        )
    if _PATTERN & set(context) or not context.isprintable():
        raise OutputError(
            "holds one of * ? [ ] \\ or what does not print, which COPY cannot name; rename the folder, or write a "
            "Dockerfile of your own beside the sources and name it in dockerfile",
            *where,
        )


def sources(build: Build, name: str = "") -> str:
    """Return the path in the context of the service's sources, or of something in them."""
    return posixpath.normpath(posixpath.join(build.context, name))


def copy_form(paths: Sequence[str]) -> str:
    """Return sources and target of COPY. Docker fills in variables there, and reads quotes, so these are escaped."""
    if all(_PLAIN.fullmatch(path) for path in paths):
        return " ".join(paths)
    return json.dumps([re.sub(r"""([\\$'"])""", r"\\\1", path) for path in paths])
