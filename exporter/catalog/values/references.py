"""References to secrets, which are written in place of values.

`${NAME}` inside text is an environment variable, optionally with a default or a message (`$${` is a literal `${`),
`{secret: NAME}` one of the catalog's `secrets`, `{file: PATH}` a file and `{env: NAME}` an environment variable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any

from exporter.catalog.values.names import parse_environment_name, parse_secret_name
from exporter.catalog.values.scalars import parse_text, value_type
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference
from exporter.catalog.values.variables import HOW, Variable, parse_variable
from exporter.catalog.values.words import kind, suggestion

_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_URL_PASSWORD = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s@:]*:([^/?#\s]+)@")
_HOW = "write ${NAME}, {secret: NAME} or {file: PATH}"

MAY_REFER = "may hold references"
"""Marks a type of text that remains text in the models and may hold `${NAME}`."""
LITERAL_SECRET = f"a secret cannot be written in the catalog; {_HOW}"


@dataclass(frozen=True, slots=True)
class NamedSecret:
    """A name in the catalog's `secrets`. `variable`: a container gets its value as a variable, not as a file."""

    name: str
    variable: bool = False


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """Literal text and references, as written; paths are not yet absolute."""

    parts: tuple[str | EnvironmentReference | FileReference | NamedSecret, ...]

    @property
    def literal(self) -> str | None:
        """Return the text itself; None if it holds a reference."""
        if any(not isinstance(part, str) for part in self.parts):
            return None
        return "".join(part for part in self.parts if isinstance(part, str))


_REFERENCE_KINDS = ("secret", "file", "env")
_AS = "as"


def parse_template(value: object) -> TextTemplate:
    """Parse text that may hold references.

    Raises:
        ValueError: it is neither text nor one reference. The message never holds the value.
    """
    if isinstance(value, dict):
        return TextTemplate((_reference(value),))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected text or a reference to a secret, found {kind(value)}")  # noqa: TRY004 - pydantic collects ValueErrors
    text = parse_text(value)
    if has_password(text):
        raise ValueError("a URL cannot hold a password; write ${NAME} in its place")
    return TextTemplate(_text_parts(text))


def has_password(text: str) -> bool:
    """True if a URL in the text holds a password that is written out."""
    password = _URL_PASSWORD.search(text)
    return password is not None and "${" not in password[1]


def parse_variable_value(value: object) -> TextTemplate:
    """Parse the value of a container's variable: a template, or a secret whose value the variable is to hold.

    Raises:
        ValueError: as parse_template, or `as` is something else or in the wrong place.
    """
    if not isinstance(value, dict) or _AS not in value:
        return parse_template(value)
    if value[_AS] != "variable":
        raise ValueError(
            "as is variable, or left out; the container then finds the path of a file in NAME_FILE"
        )
    template = parse_template({key: item for key, item in value.items() if key != _AS})
    [part] = template.parts
    if not isinstance(part, NamedSecret):
        message = "only one of the catalog's secrets has as; write {secret: NAME, as: variable}"
        raise ValueError(message)  # noqa: TRY004 - pydantic collects ValueErrors
    return TextTemplate((replace(part, variable=True),))


def parse_secret(value: object) -> TextTemplate:
    """Parse one or more references.

    Raises:
        ValueError: the secret itself is written there. The message never holds it.
    """
    template = parse_template(value)
    if template.literal is not None or any(
        isinstance(part, Variable) and (part.default or part.operator.endswith("+"))
        for part in template.parts
    ):
        raise ValueError(LITERAL_SECRET)
    return template


def _reference(value: dict[str, Any]) -> EnvironmentReference | FileReference | NamedSecret:
    if len(value) != 1:
        raise ValueError(f"a reference to a secret has one key; {_HOW}")
    [(key, name)] = value.items()
    if key not in _REFERENCE_KINDS:
        raise ValueError(
            f"a reference to a secret is one of secret, file and env; {suggestion(key, _REFERENCE_KINDS)}"
        )
    if not isinstance(name, str) or not name:
        raise ValueError(f"a reference to a secret needs a name after {key}:")
    if "${" in name:
        raise ValueError(f"the name after {key}: is used as it is written; remove ${{")
    if key == "file":
        return FileReference(name)
    try:
        return (
            NamedSecret(parse_secret_name(name))
            if key == "secret"
            else EnvironmentReference(parse_environment_name(name))
        )
    except ValueError:
        # The text may be the secret itself, so it is not repeated.
        raise ValueError(f"the text after {key}: is not a name; {_HOW}") from None


def _text_parts(text: str) -> tuple[str | EnvironmentReference, ...]:
    parts: list[str | EnvironmentReference] = []
    literal = ""
    end = 0
    for match in _VARIABLE.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match[0] == "$${":
            literal += "${"
            continue
        if match[1] is None:
            raise ValueError(f"${{ has no closing brace; {HOW}")
        reference = parse_variable(match[1])
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(reference)
    literal += text[end:]
    if literal or not parts:
        parts.append(literal)
    return tuple(parts)


_REFERENCE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string", "minLength": 1} for name in _REFERENCE_KINDS},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_SECRET_TEXT_SCHEMA = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:?[?-][^${}]*)?\}"}

Secret = Annotated[
    TextTemplate,
    *value_type(parse_secret, {"anyOf": [_SECRET_TEXT_SCHEMA, _REFERENCE_SCHEMA]}, "secret reference"),
]
"""Only references."""
Template = Annotated[
    TextTemplate,
    *value_type(
        parse_template,
        {"anyOf": [{"type": ["string", "number"]}, _REFERENCE_SCHEMA]},
        "text, perhaps with references",
    ),
]
"""Text that may hold references."""
VariableValue = Annotated[
    TextTemplate,
    *value_type(
        parse_variable_value,
        {
            "anyOf": [
                {"type": ["string", "number"]},
                _REFERENCE_SCHEMA,
                {
                    "type": "object",
                    "properties": {"secret": {"type": "string", "minLength": 1}, _AS: {"const": "variable"}},
                    "additionalProperties": False,
                    "required": ["secret", _AS],
                },
            ]
        },
        "text, perhaps with references",
    ),
]
"""Value of a container's variable."""
