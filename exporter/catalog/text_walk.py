"""Every text of a catalog with its place: one walk, so that no text is forgotten where a new key is added."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, get_args, get_origin

from exporter.catalog.base import Model
from exporter.catalog.references import MAY_REFER, TextTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.problems import CatalogPath


def texts_of(model: Model) -> Iterator[tuple[CatalogPath, TextTemplate | str]]:
    """Templates, and every other text and key that cannot hold a reference. Only what was written is looked at."""
    return _in_model(model, ())


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
    """The keys of a model whose texts stay texts and may hold references."""
    return frozenset(
        name
        for name, field in kind.model_fields.items()
        if MAY_REFER in field.metadata or _marked(field.annotation)
    )


def _marked(annotation: object) -> bool:
    if MAY_REFER in getattr(annotation, "__metadata__", ()):
        return True
    return get_origin(annotation) is not None and any(_marked(inner) for inner in get_args(annotation))
