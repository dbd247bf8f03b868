"""Text in Compose files: literal text stays as written, and only references are filled in.

Compose replaces `$NAME` and `${NAME}` in every value, and `$$` by `$`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.references import parse_template
from exporter.catalog.values.secret_text import EnvironmentReference
from exporter.catalog.values.variables import Variable
from exporter.outputs.compose.names import ROOT
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from exporter.catalog.values.references import TextTemplate

_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*)|[^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


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
    return "".join(
        literal(part) if isinstance(part, str) else _reference(part)
        for part in template.parts
        if isinstance(part, str | EnvironmentReference)
    )


def interpolated(text: str) -> str:
    """Return text of the catalog in Compose's syntax, with references that Compose fills in."""
    return template_text(parse_template(text)) or ""


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
