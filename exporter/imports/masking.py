"""Secrets in foreign text, such as a command or a URL: their values are replaced by references and never kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.catalog.reading.warnings import SECRET_VALUE, is_secret, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FOUND = re.compile(
    r"(?<![a-zA-Z0-9+.-])[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s@:]*:(?P<password>[^/?#\s@]+)@"
    r"|\b(?P<login>PASS|AUTH|LOGIN)[ \t]+(?P<word>[^\r\n]+)"
    r"|(?<![\w$.{/-])(?P<dash>--?)?(?P<name>[A-Za-z][\w.-]*)"
    r"""(?:["']?\s*[=:]\s*["']?|(?(dash)[ \t]+["']?|(?!)))"""
    rf"|(?P<token>{SECRET_VALUE.pattern})"
)
"""A password in a URL; a login of a line protocol; a name before a value; a token that is recognisable by itself."""
_VALUE = re.compile(r"""(?:(?i:basic|bearer|token)[ \t]+)?(?P<value>[^\s"'&,;<>|)}]+)""")
_NOT_NAME = re.compile(r"[^A-Z0-9]+")
_REFERENCE = re.compile(r"\$[\w{($]")


def masked(text: str, reference: Callable[[str], str], literal: Callable[[str], str] = str) -> str:
    """Return the text with `reference(NAME)` in place of each secret, and the rest through `literal`.

    `NAME` says what the secret is for: `PASSWORD`, `REQUIREPASS`. A value that is a reference already stays.
    """
    pieces: list[str] = []
    end = at = 0
    while match := _FOUND.search(text, at):
        found = _secret(match)
        if found is None:
            at = max(match.start() + 1, match.end())
            continue
        name, begin, at = found
        pieces += [literal(text[end:begin]), reference(name)]
        end = at
    return "".join((*pieces, literal(text[end:])))


def masked_words(
    words: Iterable[str], reference: Callable[[str], str], literal: Callable[[str], str] = str
) -> list[str]:
    """Do the same for the words of a command, where a value may follow the option that names it."""
    found: list[str] = []
    option = ""
    for word in words:
        if option and not word.startswith("-") and is_secret(option, word) and not _REFERENCE.match(word):
            found.append(reference(secret_name(option)))
        else:
            found.append(masked(word, reference, literal))
        option = word.lstrip("-") if word.startswith("-") and is_secret_name(word.lstrip("-")) else ""
    return found


def secret_name(*parts: str) -> str:
    """Return the name of a variable for a secret: `web`, `basic-auth` is WEB_BASIC_AUTH."""
    name = "_".join(filter(None, (_NOT_NAME.sub("_", part.upper()).strip("_") for part in parts)))[:60]
    return name if name and not name[0].isdigit() else f"SECRET_{name}".rstrip("_")


def _secret(match: re.Match[str]) -> tuple[str, int, int] | None:
    """Return what the secret is for and where its value is; None if the match is none."""
    if match["token"] is not None:
        return "TOKEN", *match.span("token")
    name = match["name"] or "password"
    if match["name"] is None:
        group = "password" if match["password"] else "word"
    elif is_secret_name(name) and (value := _VALUE.match(match.string, match.end())):
        match, group = value, "value"
    else:
        return None
    if _REFERENCE.match(match[group]) or (group == "value" and not is_secret(name, match[group])):
        return None
    return secret_name(name), *match.span(group)
