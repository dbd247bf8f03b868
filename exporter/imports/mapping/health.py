"""Health tests of containers as probes from outside. Without a plain command, only the container's health is used."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.catalog.reading.warnings import is_secret
from exporter.imports.mapping.ports import port_of
from exporter.imports.mapping.values import literal

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.imports.compose.forms.commands import Healthcheck

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - as tests write it
_TAILS = re.compile(
    r"\s*(?:\|\|\s*(?:exit\s+[0-9]+|false|kill\s+1)|[12&]?>\s*/dev/null|2>&1|&>\s*/dev/null|;\s*exit\s+\$\?)\s*;?\s*$"
)
_GREP = re.compile(r"""\|\s*grep\s+(?:-[qiEsFw]+\s+)*(?:"([^"$`]+)"|'([^']+)'|([^\s|;&$`"']+))\s*$""")
_SHELL = re.compile(r"[|;&<>`]|\$\(")
_TCP = re.compile(r"/dev/tcp/([\w.:-]+)/([0-9]+)")
_REQUEST = re.compile(r"(?:GET|HEAD) (/\S*) HTTP/")
_FETCH = re.compile(r"""(?:fetch|http\.get)\(\s*['"](https?://[^'"$`]+)['"]""")
_OWN = frozenset(
    [
        "pg_isready",
        "psql",
        "redis-cli",
        "valkey-cli",
        "mysqladmin",
        "mariadb-admin",
        "mysql",
        "mariadb",
        "healthcheck.sh",
        "mongosh",
        "mongo",
        "sqlcmd",
    ]
)
_WITH_VALUE = {
    "curl": frozenset("oHXmAudbeTwxr")
    | {"output", "header", "request", "max-time", "connect-timeout", "retry"}
    | {"retry-delay", "user-agent", "user", "data", "write-out", "retry-max-time", "cacert"},
    "wget": frozenset("OTtUo") | {"output-document", "timeout", "tries", "header", "user-agent"},
}
_CANNOT = frozenset(
    {"unix-socket", "abstract-unix-socket", "data", "d", "X", "request", "post-data", "T", "u", "user", "x"}
)
"""Options of curl after which it is another question than a plain GET."""


@dataclass(frozen=True, slots=True)
class Test:
    """The probe for a test: `http` with `path` and `port`, `tcp` with `port`, `own` of a store, or `container`."""

    kind: str
    port: int | None = None
    path: str = "/"
    scheme: str = "http"
    contains: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    verify: bool = True
    notes: tuple[str, ...] = field(default=())


CONTAINER = Test("container")


def test_of(check: Healthcheck | None, names: Collection[str]) -> Test | None:
    """Return what a health check becomes; None if there is none. `names`: those of the service itself."""
    if check is None or check.disabled or not check.test:
        return None
    if check.by_shell:
        return _shell(check.test[0], names)
    words = [literal(word) for word in check.test]
    if (
        words[:1]
        and words[0].rpartition("/")[2] in ("sh", "bash")
        and len(words) == 3
        and words[1].endswith("c")
    ):
        return _shell(words[2], names)
    return _command(words, "", names)


def _shell(text: str, names: Collection[str]) -> Test:
    text = literal(text).strip()
    if tcp := _TCP.search(text):
        request = _REQUEST.search(text)
        port = port_of(tcp[2])
        if not port or (tcp[1] not in _LOCAL and tcp[1] not in names):
            return CONTAINER
        return Test("http", port, request[1]) if request else Test("tcp", port)
    contains = ""
    while True:
        shorter = _TAILS.sub("", text)
        if shorter == text:
            grep = _GREP.search(text)
            if not grep or contains:
                break
            contains = next(filter(None, grep.groups()), "")
            shorter = text[: grep.start()].strip()
        text = shorter
    try:
        words = shlex.split(text)
    except ValueError:
        return CONTAINER
    program = words[0].rpartition("/")[2] if words else ""
    if program in _OWN:
        return Test("own")
    if program not in ("node", "bun") and _SHELL.search(re.sub(r"""'[^']*'|"[^"]*\"""", "", text)):
        return CONTAINER
    return _command(words, contains, names)


def _command(words: list[str], contains: str, names: Collection[str]) -> Test:
    program = words[0].rpartition("/")[2] if words else ""
    if program in _OWN:
        return Test("own")
    if program == "mc" and words[1:3] == ["ready", "local"]:
        return Test("http", 9000, "/minio/health/live")
    if program in ("nc", "netcat"):
        hosts = [word for word in words[1:] if not word.startswith("-")]
        if len(hosts) >= 2 and _is_own(hosts[0], names) and (port := port_of(hosts[1])):
            return Test("tcp", port)
        return CONTAINER
    if program in ("node", "bun"):
        found = _FETCH.search(" ".join(words))
        return _url(found[1], names) if found else CONTAINER
    if program in ("curl", "wget"):
        return _client(program, words[1:], contains, names)
    return CONTAINER


def _client(program: str, words: list[str], contains: str, names: Collection[str]) -> Test:
    options: list[tuple[str, str]] = []
    urls: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            takes = name in _WITH_VALUE[program] and not equals
            options.append((name, next(rest, "") if takes else value))
        elif word.startswith("-") and len(word) > 1:
            if program == "wget" and word in ("-nv", "-nc"):
                continue
            for index, letter in enumerate(word[1:], 1):
                if letter in _WITH_VALUE[program]:
                    options.append((letter, word[index + 1 :] or next(rest, "")))
                    break
                options.append((letter, ""))
        else:
            urls.append(word)
    given = {name for name, _ in options}
    if len(urls) != 1 or (program == "curl" and given & _CANNOT):
        return CONTAINER
    found = _url(urls[0], names)
    if found.kind != "http":
        return found
    notes: list[str] = []
    if program == "curl" and not given & {"f", "fail", "fail-with-body"} and not contains:
        notes.append("the test accepts any status, the probe only 2xx")
    headers = tuple(
        (name.strip(), value.strip())
        for option, text in options
        if option in ("H", "header")
        for name, colon, value in [text.partition(":")]
        if colon and name.strip()
    )
    verify = not given & {"k", "insecure", "no-check-certificate"}
    return Test("http", found.port, found.path, found.scheme, contains, headers, verify, tuple(notes))


def _url(text: str, names: Collection[str]) -> Test:
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        port = url.port
    except ValueError:
        return CONTAINER
    if url.scheme not in ("http", "https") or url.username or not _is_own(url.hostname or "", names):
        return CONTAINER
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if (
        not path.isprintable()
        or " " in path
        or any(is_secret(*pair.partition("=")[::2]) for pair in url.query.split("&"))
    ):
        return CONTAINER
    return Test("http", port or {"http": 80, "https": 443}[url.scheme], path, url.scheme)


def _is_own(host: str, names: Collection[str]) -> bool:
    return host in _LOCAL or host in names
