"""Text in Compose files: what a person wrote stays as it is, and only what is meant to be is filled in.

Compose replaces `$NAME` and `${NAME}` in every value, and `$$` by one `$`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.references import parse_template
from exporter.catalog.values.secret_text import EnvironmentReference
from exporter.catalog.values.variables import Variable
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from exporter.catalog.values.references import TextTemplate

_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*)|[^}]*)\})")


def literal(text: str) -> str:
    """Text that Compose leaves as it is."""
    return text.replace("$", "$$")


def required(name: str, hint: str = "set it in .env or in the environment") -> str:
    """The value of a variable. Compose stops with the hint where it is not set or empty."""
    return f"${{{name}:?{hint}}}"


def optional(name: str, default: str) -> str:
    """The value of a variable, or else the default."""
    return f"${{{name}:-{default}}}"


def generated(path: str) -> str:
    """A generated file or folder, by its path beside the Compose file, as what is mounted. FILES_FOLDER: scripts keep a
    copy of what was deployed, so that a checkout may change under what runs, and a roll-back has the files of then."""
    return f"{optional('FILES_FOLDER', '.')}/{path}"


def template_text(template: TextTemplate) -> str | None:
    """Literal text and environment variables; None where the template refers to a secret or a file."""
    if not all(isinstance(part, str | EnvironmentReference) for part in template.parts):
        return None
    return "".join(
        literal(part) if isinstance(part, str) else _reference(part)
        for part in template.parts
        if isinstance(part, str | EnvironmentReference)
    )


def interpolated(text: str) -> str:
    """Text of the catalog whose references Compose fills in."""
    return template_text(parse_template(text)) or ""


def _reference(part: EnvironmentReference) -> str:
    if isinstance(part, Variable):
        return f"${{{part.name}{part.operator}{part.word}}}"
    return required(part.name)


def variables(value: Any) -> dict[str, str]:
    """The variables in a document or its text, in its order, and their defaults; empty where they have none."""
    if isinstance(value, Note):
        return variables(value.value)
    if isinstance(value, str):
        return {match[1]: match[2] or "" for match in _VARIABLE.finditer(value) if match[1]}
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return {name: default for item in items for name, default in variables(item).items()}
