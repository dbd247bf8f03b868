"""Listen address of the daemon, read without the models: a health check needs it every few seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import CatalogError, Problem, path_text
from exporter.catalog.reading.source import open_source
from exporter.catalog.reading.yaml_nodes import plain
from exporter.catalog.values.addresses import DEFAULT_LISTEN, parse_listen

if TYPE_CHECKING:
    from os import PathLike

    from exporter.catalog.reading.problems import CatalogPath


def read_listen(path: str | PathLike[str], environment: str | None = None) -> tuple[str, int]:
    """Return host and port on which the daemon listens; nothing else in the file is checked.

    Raises:
        CatalogError: the file cannot be read, or the address is not valid.
    """
    source, name = open_source(path, environment)
    place: CatalogPath = ("exporter", "listen")
    for prefix in (("environments", name or ""), ()):
        written = (*prefix, *place)
        node, depth = source.root.at(written)
        if depth == len(written):
            try:
                return parse_listen(plain(node))
            except ValueError as error:
                raise CatalogError(
                    [Problem(source.name, node.line, node.column, path_text(written), str(error))]
                ) from None
    return DEFAULT_LISTEN
