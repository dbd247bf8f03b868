"""Texts that may hold `${NAME}` and remain text in the models: URLs to probe, and text that Compose fills in.

Every other text is used as it is written, so `${` in it is a mistake (`text_walk.py` finds it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from exporter.catalog.values.network import check_url, parse_path
from exporter.catalog.values.references import MAY_REFER, parse_template
from exporter.catalog.values.scalars import parse_text, text_schema, value_type
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.catalog.values.variables import HOW, Variable
from exporter.catalog.values.words import shown

if TYPE_CHECKING:
    from exporter.catalog.values.references import TextTemplate

_FILLED_IN = "x"


def parse_interpolated(value: object) -> str:
    """Return text in which Compose fills in variables, as it was written."""
    text = parse_text(value)
    if any(not isinstance(part, str | EnvironmentReference) for part in parse_template(text).parts):
        raise ValueError(f"holds a reference that Compose cannot fill in; {HOW}")
    return text


def without_variables(text: str) -> str | None:
    """Return the text with the defaults of its variables; None if one has no default."""
    words = [
        part if isinstance(part, str) else part.usual if isinstance(part, Variable) else None
        for part in parse_template(text).parts
    ]
    return None if None in words else "".join(word for word in words if word)


def parse_url_text(value: object, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """Return a URL whose path and query may hold references, as it was written.

    Raises:
        ValueError: it is not valid. The message never holds a password.
    """
    if not isinstance(value, str) or "${" not in value:
        return check_url(value, schemes)
    template = parse_template(value)
    begin = _beginning(template)
    if template.literal is None and (
        "://" not in begin or len(begin) == begin.find("://") + 3 or not _has_path(begin)
    ):
        raise ValueError(
            "a reference is allowed only in the path and query of a URL; "
            "write the host itself, or another one under environments"
        )
    check_url(_filled_in(template), schemes)
    _no_fragment(template)
    return value


def parse_path_text(value: object) -> str:
    """Return a path, optionally with a query, that may hold references, as it was written."""
    if not isinstance(value, str) or "${" not in value:
        return parse_path(value)
    template = parse_template(value)
    if not _beginning(template).startswith("/"):
        raise ValueError(f"{shown(value)} is not a path; it begins with / and holds no space")
    parse_path(_filled_in(template))
    _no_fragment(template)
    return value


def request_path(url: str) -> tuple[str, SecretText | None]:
    """Return the URL as labels and pages show it, with `${NAME}` in place of values; and its path and query, if they
    hold references.
    """
    template = parse_template(url)
    if template.literal is not None:
        return template.literal, None
    parts = [part for part in template.parts if isinstance(part, str | EnvironmentReference)]
    text = "".join(part if isinstance(part, str) else f"${{{part.name}}}" for part in parts)
    begin = _beginning(template)
    at = _path_at(begin)
    return text, SecretText((begin[at:], *parts[1:]))


def _beginning(template: TextTemplate) -> str:
    first = template.parts[0]
    return first if isinstance(first, str) else ""


def _path_at(url: str) -> int:
    """Return the index at which the path or query of a URL begins; -1 without one."""
    begin = url.find("://") + 3
    return min((at for at in (url.find("/", begin), url.find("?", begin)) if at >= 0), default=-1)


def _has_path(url: str) -> bool:
    return _path_at(url) >= 0


def _filled_in(template: TextTemplate) -> str:
    return "".join(part if isinstance(part, str) else _FILLED_IN for part in template.parts)


def _no_fragment(template: TextTemplate) -> None:
    if any(isinstance(part, str) and "#" in part for part in template.parts):
        raise ValueError("a fragment is never sent; remove # and what follows")


Interpolated = Annotated[
    str,
    *value_type(parse_interpolated, {"type": ["string", "number"]}, "text, perhaps with `${NAME}`"),
    MAY_REFER,
]
"""Text in a Compose file."""

UrlText = Annotated[
    str,
    *value_type(
        parse_url_text, text_schema(r"^[Hh][Tt][Tt][Pp][Ss]?://", "https://example.com/health"), "URL"
    ),
    MAY_REFER,
]

PathText = Annotated[str, *value_type(parse_path_text, text_schema("^/", "/health"), "path"), MAY_REFER]
