"""The build context of generated Dockerfiles: the catalog's folder, filtered by each Dockerfile's ignore file."""

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
    """Return the folder of the images' generated files, relative to the catalog's folder."""
    return f"deploy/{catalog.environment_name}/images"


def check_context(name: str, build: Build) -> None:
    """Check that COPY can name the sources.

    Raises:
        OutputError: the sources are outside the catalog's folder, or COPY would read their path as a pattern.
    """
    where = ("services", name, "build", "context")
    context = posixpath.normpath(build.context)
    if context.startswith(("/", "~")) or context.split("/")[0] == "..":
        raise OutputError(
            "is outside the catalog's folder, which is the build context of a generated Dockerfile; move the sources "
            "into it, or write your own Dockerfile next to them and name it in dockerfile",
            *where,
        )
    if _PATTERN & set(context) or not context.isprintable():
        raise OutputError(
            "has a character that COPY cannot name (one of * ? [ ] \\ or not printable); rename the folder, or write "
            "your own Dockerfile next to the sources and name it in dockerfile",
            *where,
        )


def sources(build: Build, name: str = "") -> str:
    """Return the path of the service's sources in the context, or of a file in them."""
    return posixpath.normpath(posixpath.join(build.context, name))


def copy_form(paths: Sequence[str]) -> str:
    """Return sources and target of COPY, with `$`, quotes and backslashes escaped, which Docker would interpret."""
    if all(_PLAIN.fullmatch(path) for path in paths):
        return " ".join(paths)
    return json.dumps([re.sub(r"""([\\$'"])""", r"\\\1", path) for path in paths])
