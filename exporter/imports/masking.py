"""Secrets in foreign text, such as a command or a URL: their values are replaced by references and never kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.catalog.reading.warnings import SECRET_VALUE, is_secret, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FOUND = re.compile(
    r"(?<![a-zA-Z0-9+.:-])(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//[^/?#\s@:]*:(?P<password>[^/?#\s@]+)@"
    r"|(?i:https?)://(?P<user>[^/?#\s@:$]+)@"
    r"|(?<![\w$.{/-])[\w.-]{1,64}:(?P<dsn>[^/?#\s@:]+)@(?:tcp|udp|unix)\("
    r"|(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks|api\.telegram\.org)/(?P<hook>[^\s\"']+)"
    r"|(?<!\S)(?:-u|--user|--proxy-user)[ \t=]*[\"']?[\w.@-]{1,64}:(?P<pair>[^\s\"':]+)"
    r"|(?<!\S)(?:-b|--cookie)[ \t=]*[\"']?[\w.-]{1,64}=(?P<cookie>[^\s\"']+)"
    r"|\b(?:mysql|mariadb)[\w-]{0,16}[ \t][^\n;|&]{0,200}?(?<=[ \t])-p(?P<short>[^\s;|&\"']+)"
    r"|\b(?:redis|valkey|keydb)-cli[ \t][^\n;|&]{0,200}?(?<=[ \t])-a[ \t]+[\"']?(?P<cli>[^\s;|&\"']+)"
    r"|\b(?P<login>PASS|AUTH|LOGIN)[ \t]+(?P<word>[^\r\n]+)"
    r"|(?<![\w$.{/-])(?P<dash>--?)?(?P<name>[A-Za-z_][\w.-]*)"
    r"""(?:["']?\s*[=:]\s*["']?|(?(dash)[ \t]+["']?|(?!)))"""
    rf"|(?P<token>{SECRET_VALUE.pattern})"
)
"""A password or a token in a URL or the address of a MySQL server; a webhook; an option of a known program; a login of
a line protocol; a name before a value; a token that is recognisable by itself.
"""
_GROUPS = ("password", "user", "dsn", "hook", "pair", "cookie", "short", "cli", "word")
_IDS = re.compile("[0-9]+")
"""As after the option -u of a container: no password."""
_ASSIGNMENT = re.compile(r"-{0,2}([A-Za-z][\w.-]*)=(.+)", re.DOTALL)
_VALUE = re.compile(r"""(?:(?i:basic|bearer|token)[ \t]+)?(?P<value>[^\s"'&,;<>|)}]+)""")
_LOGINS = re.compile("basic[-_.]?auth", re.IGNORECASE)
"""Names whose values are lists of `user:password` or `user:hash`, as of Traefik's labels."""
_QUOTED = {
    quote: re.compile(rf"(?:(?i:basic|bearer|token)[ \t]+)?(?P<value>[^{quote}\n]+)(?={quote})")
    for quote in "\"'"
}
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
    option = program = ""
    for word in words:
        program = program or _PROGRAM[bool(_MYSQL.search(word)) + 2 * bool(_REDIS.search(word))]
        assigned = _ASSIGNMENT.fullmatch(word)
        if option and not word.startswith("-") and _is_value(option, word):
            found.append(reference(secret_name(option)))
        elif assigned and _is_value(assigned[1], assigned[2]) and not SECRET_VALUE.search(assigned[2]):
            found.append(literal(word[: assigned.start(2)]) + reference(secret_name(assigned[1])))
        elif program == "mysql" and word.startswith("-p") and len(word) > 2 and not _REFERENCE.match(word, 2):
            found.append(f"-p{reference('PASSWORD')}")
        elif option in ("u", "user", "proxy-user") and (pair := _LOGIN.fullmatch(word)):
            found.append(literal(pair[1]) + reference("PASSWORD"))
        else:
            found.append(masked(word, reference, literal))
        option = word.lstrip("-") if word.startswith("-") else ""
        option = "password" if option == "a" and program == "redis" else option
    return found


_PROGRAM = ("", "mysql", "redis", "redis")
_MYSQL, _REDIS = re.compile(r"\b(?:mysql|mariadb)[\w-]{0,16}$"), re.compile(r"\b(?:redis|valkey|keydb)-cli$")
_LOGIN = re.compile(r"([\w.@-]{1,64}:)(?![0-9]+$)(?!\$[\w{($])[^\s:]+")


def _is_value(name: str, value: str) -> bool:
    return is_secret_name(name) and is_secret(name, value) and not _REFERENCE.match(value)


def masked_value(
    name: str, value: str, reference: Callable[[str], str], literal: Callable[[str], str] = str
) -> str:
    """Do the same for the value of a name: all of it is a secret if the name says so, as in `splunk-token: x`."""
    return reference(secret_name(name)) if holds_secret(name, value) else masked(value, reference, literal)


def holds_secret(name: str, value: str) -> bool:
    """True if all of a value is a secret by its name. `value`: without references."""
    if _LOGINS.search(name):
        return ":" in value
    return is_secret_name(name) and is_secret(name, value)


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
        group = next(each for each in _GROUPS if match[each] is not None)
        if group == "pair" and _IDS.fullmatch(match[group]):
            return None
    elif is_secret_name(name) and (value := _value(match)):
        match, group = value, "value"
    else:
        return None
    if _REFERENCE.match(match[group]) or (group == "value" and not is_secret(name, match[group])):
        return None
    return secret_name(name), *match.span(group)


def _value(match: re.Match[str]) -> re.Match[str] | None:
    """Return the value after a name: in quotes all that is between them, else up to a space or a sign."""
    quotes = _QUOTED.get(match[0][-1])
    quoted = quotes.match(match.string, match.end()) if quotes else None
    return quoted or _VALUE.match(match.string, match.end())
