"""Text in Compose files: literal text stays as written, and only references are filled in.

Compose replaces `$NAME` and `${NAME}` in every value, and `$$` by `$`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.references import parse_template
from exporter.catalog.values.secret_text import EnvironmentReference
from exporter.catalog.values.variables import Variable
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.catalog.values.references import TextTemplate

_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*)|[^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
ROOT = "../.."
"""The catalog's folder, relative to a Compose file."""


def literal(text: str) -> str:
    """Return text that Compose leaves as it is."""
    return text.replace("$", "$$")


def required(name: str, hint: str = "set it in .env or in the environment") -> str:
    """Return a reference to a variable. Compose stops with the hint if it is not set or empty."""
    return f"${{{name}:?{hint}}}"


def optional(name: str, default: str) -> str:
    """Return a reference to a variable with a default."""
    return f"${{{name}:-{default}}}"


def generated(path: str, *, shared: bool = False) -> str:
    """Return the source of a mount: a generated file or folder next to the Compose file, or next to the catalog if all
    environments share it.

    FILES_FOLDER has a copy of both as they were deployed, so running containers do not depend on the checkout, and a
    rollback has the files of its release.
    """
    return f"{optional('FILES_FOLDER', ROOT if shared else '.')}/{path}"


def template_text(template: TextTemplate) -> str | None:
    """Return literal text and environment variables; None if the template refers to a secret or a file."""
    if not all(isinstance(part, str | EnvironmentReference) for part in template.parts):
        return None
    return _joined(template.parts)


def interpolated(text: str) -> str:
    """Return text of the catalog in Compose's syntax, with references that Compose fills in."""
    return template_text(parse_template(text)) or ""


def placed(path: str, place: Callable[[str], str]) -> str:
    """Return a path of the catalog in Compose's syntax, moved by `place`, as is the default of a variable at its start.

    The value of that variable, when it is set, is used as it is: write an absolute path there.
    """
    first, *rest = parse_template(path).parts
    if isinstance(first, str):
        if not rest:
            return literal(place(first))
        # What follows is not normalised: it may be a variable's.
        slash = "/" if first.endswith("/") else ""
        return literal(place(first).removesuffix("/") + slash) + _joined(rest)
    if isinstance(first, Variable) and first.default:
        first = replace(first, word=place(first.default))
    return _joined([first, *rest])


def _joined(parts: Iterable[object]) -> str:
    return "".join(
        literal(part) if isinstance(part, str) else _reference(part)
        for part in parts
        if isinstance(part, str | EnvironmentReference)
    )


def _reference(part: EnvironmentReference) -> str:
    if isinstance(part, Variable):
        return f"${{{part.name}{part.operator}{part.word}}}"
    return required(part.name)


def variables(value: Any) -> dict[str, str]:
    """Return the variables in a document or text, in order, with their defaults; "" if one has none."""
    if isinstance(value, Note):
        return variables(value.value)
    if isinstance(value, str):
        found = ((match[1] or match[3], match[2] or "") for match in _VARIABLE.finditer(value))
        return {name: default for name, default in found if name}
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return {name: default for item in items for name, default in variables(item).items()}
