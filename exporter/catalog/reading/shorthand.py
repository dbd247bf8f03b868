"""Short forms of a mapping, in words: read from the models, so that messages stay up to date."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.reading.problems import CatalogPath

_WORDS: dict[Any, str] = {bool: "true or false", int: "a number", str: "text"}


def forms_at(root: type[BaseModel], path: CatalogPath) -> list[str]:
    """Return the short forms that the value on `path` can have: `a path such as /health`."""
    places: list[Any] = [root]
    for part in path:
        places = [inner for place in places for inner in _below(place, part)]
    words = (word for place in places for form in _short(place) for word in _in_words(form))
    return list(dict.fromkeys(words))


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    """Yield the annotations, with what is attached to them, one step below."""
    for place in _leaves(annotation):
        if _is_model(place):
            for name, field in place.model_fields.items():
                if part == (field.alias or name):
                    yield Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        elif get_origin(place) is dict:
            yield get_args(place)[1]
        else:
            yield get_args(place)[0]


def _leaves(annotation: Any) -> Iterator[Any]:
    """Yield models, mappings and lists among the alternatives of an annotation."""
    if _is_model(annotation) or get_origin(annotation) in (dict, tuple):
        yield annotation
        return
    arguments = get_args(annotation)
    for inner in arguments[:1] if get_origin(annotation) is Annotated else arguments:
        yield from _leaves(inner)


def _short(annotation: Any) -> Iterator[Any]:
    """Yield what validators of a short form accept."""
    if get_origin(annotation) in (dict, tuple, Literal) or _is_model(annotation):
        return
    for inner in get_args(annotation):
        if isinstance(inner, BeforeValidator):
            yield inner.json_schema_input_type
        else:
            yield from _short(inner)


def _in_words(form: Any) -> Iterator[str]:
    if form in _WORDS:
        yield _WORDS[form]
    elif form is NoneType or _is_model(form) or get_origin(form) in (dict, tuple):
        return
    elif get_origin(form) is Literal:
        yield from (value if isinstance(value, str) else str(value).lower() for value in get_args(form))
    elif get_origin(form) is Annotated:
        yield from _described(form)
    else:
        for inner in get_args(form):
            yield from _in_words(inner)


def _described(form: Any) -> Iterator[str]:
    base, *attached = get_args(form)
    schema = next((item.json_schema for item in attached if isinstance(item, WithJsonSchema)), None)
    if schema is None:
        yield from _in_words(base)
        return
    title = str(schema.get("title", "text"))
    examples = schema.get("examples")
    article = "" if title == "text" else "an " if title[0] in "aeio" else "a "
    yield f"{article}{title} such as {examples[0]}" if examples else f"{article}{title}"


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
