"""One walk over every text of a catalog with its place, so that the texts of a new key are not forgotten."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, get_args, get_origin

from exporter.catalog.base import Model
from exporter.catalog.values.references import MAY_REFER, TextTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.reading.problems import CatalogPath, Finding
    from exporter.catalog.reading.validation import Reduced
    from exporter.catalog.reading.yaml_nodes import Node

NO_REFERENCE = (
    "${ begins a reference, which is not allowed here; write the value itself, or $${ for the characters "
    r"(in a regular expression: \$\{)"
)
_BEGINNING = re.compile(r"(?<!\$)\$\{")


def texts_of(model: Model) -> Iterator[tuple[CatalogPath, TextTemplate | str]]:
    """Yield templates, and every other text and key that cannot hold a reference. Only what was written counts."""
    return _in_model(model, ())


def misplaced(model: Model, tree: Node, left: Reduced) -> Iterator[Finding]:
    """Yield each reference in a text that cannot hold one. `tree`: the texts as they were written."""
    for path, text in texts_of(model):
        if isinstance(text, str) and "${" in text:
            written = left.written(path)
            if any(item == text or _BEGINNING.search(item) for item in _written(tree, written)):
                yield written, NO_REFERENCE


def _written(tree: Node, path: CatalogPath) -> Iterator[str]:
    """Yield the key on `path` and the texts there, or those of the short form they are in."""
    node, depth = tree.at(tree.as_written(path))
    if depth == len(path) or not isinstance(node.value, dict):
        yield str(path[-1])
        yield from _texts_in(node)


def _texts_in(node: Node) -> Iterator[str]:
    value = node.value
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts_in(inner)


def _in_model(model: Model, path: CatalogPath) -> Iterator[tuple[CatalogPath, TextTemplate | str]]:
    kind = type(model)
    free = _may_refer(kind)
    for name in model.model_fields_set:
        alias = kind.model_fields[name].alias or name
        yield from _in_value(getattr(model, name), (*path, alias), free=name in free)


def _in_value(
    value: object, path: CatalogPath, *, free: bool
) -> Iterator[tuple[CatalogPath, TextTemplate | str]]:
    if isinstance(value, TextTemplate):
        yield path, value
    elif isinstance(value, str):
        if not free:
            yield path, value
    elif isinstance(value, Model):
        yield from _in_model(value, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                yield (*path, key), key
            yield from _in_value(item, (*path, key), free=free)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _in_value(item, (*path, index), free=free)


@cache
def _may_refer(kind: type[Model]) -> frozenset[str]:
    """Return the keys of a model whose texts stay texts and may hold references."""
    return frozenset(
        name
        for name, field in kind.model_fields.items()
        if MAY_REFER in field.metadata or _marked(field.annotation)
    )


def _marked(annotation: object) -> bool:
    if MAY_REFER in getattr(annotation, "__metadata__", ()):
        return True
    return get_origin(annotation) is not None and any(_marked(inner) for inner in get_args(annotation))
