"""Warnings about what is valid but probably a mistake: a secret that is written out, a value that a # has emptied.

A warning never holds the value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from exporter.catalog.base import Model
from exporter.catalog.reading.stores import store_warnings
from exporter.catalog.reading.watching import watched_warnings
from exporter.catalog.values.references import TextTemplate, parse_template
from exporter.catalog.values.variables import Variable
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.reading.problems import CatalogPath, Finding
    from exporter.catalog.reading.yaml_nodes import Node

HOW = "write ${NAME} in place of the value, or list the name under not_secret"
_STRONG = re.compile(
    "(?:.*(?:password|passwd|secret|token)|passphrase|credentials?|signature"
    "|(?:api|access|secret|private)key|requirepass|masterauth)"
)
_WEAK = frozenset({"auth", "authorization", "key", "pass", "pwd", "sig"})
"""These count only as the last word of a name: KEY_PREFIX is not a secret."""
_ABOUT = frozenset(
    re.findall(
        "[a-z]+",
        "age algorithm audience authentication bits bucket change column cookie count days enabled endpoint expiration "
        "expire expires expiry field file format hash hasher hashers header host hours id issuer length lifetime limit "
        "location login max min minutes mode name path policy port prefix provider public rate refresh region required "
        "reset rotation scope scopes seconds secure serializer service size store suffix timeout ttl type uri url user "
        "username validation validators version",
    )
)
"""If one of these follows in the name, the value is not the secret itself: KEY_FILE, TOKEN_TTL."""
_KIND = frozenset(
    re.findall(
        "[a-z]+",
        "by cache continuation csrf cursor foreign group hash hot idempotency index log lookup message next page "
        "partition primary proxy public routing shard sort sync unique",
    )
)
"""Right before the last word: a key or a token of this kind is not a secret, such as SORT_KEY and page_token."""
_SWITCH = frozenset(
    {"allow", "disable", "disabled", "enable", "has", "ignore", "is", "no", "require", "skip", "use"}
)
"""A name that begins with one of these is a switch."""
_MAX_NAME = 256
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
SECRET_VALUE = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|(?:sk|rk)_live_\w{16,}|sk-[\w-]{32,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{35}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{40,}"
    r"|(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
"""Values that are recognisable as secrets."""
_OPTION = re.compile(r"--?([A-Za-z][\w.-]*)=(.+)", re.DOTALL)
_NO_VALUE = frozenset(
    {"", "true", "false", "yes", "no", "on", "off", "none", "null", "0", "1"}
    | {"basic", "bearer", "digest", "ldap", "login", "oauth2", "oidc", "plain"}
)
_FILE = re.compile(r"(?:\.{0,2}/[\w.-]+)+|file:.*")
_PAIRS = frozenset({"environment", "arguments", "headers", "metadata", "labels"})
"""Mappings of names to values that a program reads."""


def warnings(catalog: Catalog, tree: Node) -> Iterator[Finding]:
    """Yield the places of likely mistakes in a valid catalog, and what to write there."""
    yield from _emptied(tree, ())
    yield from _unchecked(catalog)
    yield from _without_tls(catalog)
    yield from store_warnings(catalog)
    yield from watched_warnings(catalog)
    known = {name.lower() for name in catalog.not_secret}
    for path, name, value in _named_values(catalog, ()):
        if name.lower() in known:
            continue
        if is_secret(name, value):
            yield path, f"{quoted(name)} looks like a secret that is written out; {HOW}"


def _unchecked(catalog: Catalog) -> Iterator[Finding]:
    """Yield conditions for which the catalog has no check. The image can have one; if not, Compose does not start."""
    sections: dict[str, Mapping[str, Container]] = {"services": catalog.services, "stores": catalog.stores}
    for section, containers in sections.items():
        for name, container in containers.items():
            for other, how in container.depends_on.items():
                needed = catalog.services.get(other)
                known = needed is None or (needed.healthcheck and needed.healthcheck.test)
                recipe = needed is not None and needed.build is not None and needed.build.runtime is not None
                if how.condition == "healthy" and how.needed and not known and not recipe:
                    text = f"waits until {other} is healthy, which needs a health check in its image"
                    yield (
                        (section, name, "depends_on", other),
                        f"{text}; if it has none, give {other} a healthcheck with a test",
                    )


def _without_tls(catalog: Catalog) -> Iterator[Finding]:
    """Yield the stores whose probe cannot log in after each start of the server: it sends no password in clear."""
    for name, store in catalog.stores.items():
        if store.engine == "mysql" and store.password is not None and store.tls is None:
            why = (
                "MySQL asks for the password itself at a user's first login since it started, and the probe sends it "
                "over TLS only; write tls: {ca: FILE}, or tls: {verify: false} for MySQL's own certificate"
            )
            yield ("stores", name, "engine"), why


def is_secret(name: str, value: str) -> bool:
    """True if the value, which is written out, is probably a secret: by its name, or by its form."""
    return bool(SECRET_VALUE.search(value)) or (is_secret_name(name) and _is_value(value))


def is_secret_name(name: str) -> bool:
    """True if a value with this name is usually a secret: DB_PASSWORD, apiKey, X-Auth-Token."""
    words = [word.lower() for word in _WORDS.findall(name[-_MAX_NAME:]) if not word.isdigit()]
    if not words or words[0] in _SWITCH:
        return False
    *before, last = words
    if last in _WEAK or _is_secret(last, before):
        return not before or before[-1] not in _KIND
    inner = any(_is_secret(word, words[:index]) for index, word in enumerate(words))
    return inner and not _ABOUT & {*words}


def _is_secret(word: str, before: list[str]) -> bool:
    """True if a word names a secret, alone or together with the one before it, as in API_KEY."""
    return bool(_STRONG.fullmatch(word) or (before and _STRONG.fullmatch(before[-1] + word)))


def _is_value(value: str) -> bool:
    """True if it can be a secret: not a word of a setting, and not the path of a file that holds one."""
    return value.lower() not in _NO_VALUE and not _FILE.fullmatch(value)


def _named_values(value: object, path: CatalogPath) -> Iterator[tuple[CatalogPath, str, str]]:
    """Yield place, name and value of each literal that has a name: variable, header, parameter of a URL, option."""
    if isinstance(value, Model):
        for field in value.model_fields_set:
            alias = type(value).model_fields[field].alias or field
            inner, here = getattr(value, field), (*path, alias)
            if field in _PAIRS and isinstance(inner, dict):
                for name, item in inner.items():
                    yield (*here, name), name, _written_out(item)
            elif field in ("url", "path") and isinstance(inner, str | TextTemplate):
                yield from ((here, name, text) for name, text in _parameters(inner))
            elif isinstance(inner, TextTemplate):
                yield here, alias, _written_out(inner)
            elif field in ("command", "entrypoint") and isinstance(inner, tuple):
                yield from _options(inner, here)
            else:
                yield from _named_values(inner, here)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _named_values(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _named_values(item, (*path, index))


def _written_out(item: object) -> str:
    """Return the literal text of a value, its defaults included; empty if it consists of references."""
    template = (
        item if isinstance(item, TextTemplate) else parse_template(item) if isinstance(item, str) else None
    )
    parts = template.parts if template else ()
    if any(not isinstance(part, str) for part in parts):
        return "".join(part.default or "" for part in parts if isinstance(part, Variable))
    return "".join(part for part in parts if isinstance(part, str))


def _parameters(url: str | TextTemplate) -> Iterator[tuple[str, str]]:
    template = parse_template(url) if isinstance(url, str) else url
    text = "".join(part if isinstance(part, str) else "" for part in template.parts)
    query = text.partition("?")[2].partition("#")[0]
    yield from parse_qsl(query, keep_blank_values=True)


def _options(arguments: tuple[str, ...], path: CatalogPath) -> Iterator[tuple[CatalogPath, str, str]]:
    for index, argument in enumerate(arguments):
        match = _OPTION.fullmatch(argument)
        if match:
            yield (*path, index), match[1], _written_out(match[2])


def _emptied(node: Node, path: CatalogPath) -> Iterator[Finding]:
    """Yield empty values before a # that a word follows directly, as in #alerts."""
    if isinstance(node.value, dict):
        for key, inner in node.value.items():
            yield from _emptied(inner, (*path, key))
    elif isinstance(node.value, list):
        for index, inner in enumerate(node.value):
            yield from _emptied(inner, (*path, index))
    elif node.value is None and node.comment and len(node.comment) > len('"#"'):
        yield path, f"is empty, since {node.comment} begins a comment; text that begins with # needs quotes"
