"""The web configuration: TLS and users, in the format of Prometheus's exporter-toolkit.

The format is described at https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md.
Unsupported settings are errors and never ignored. There is one extension: a user can have `{password_file: PATH}`
instead of a hash, as in Prometheus's `basic_auth`, so that generated files contain no password and no hash, and always
match each other.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import Problem
from exporter.catalog.reading.yaml_scalars import YamlError
from exporter.catalog.reading.yaml_tree import parse
from exporter.catalog.values.words import quoted, suggestion
from exporter.daemon.web.config_reading import MAX_FILE_BYTES, Section, Sections
from exporter.daemon.web.config_tls import TLS_KEYS, read_tls
from exporter.daemon.web.settings import Rate, Settings, Users
from exporter.files import read_whole

if TYPE_CHECKING:
    from exporter.daemon.web.answers import Headers

HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""Headers that can be set, with their allowed values; any value if there are none."""
MAX_COST = 16
"""Maximum cost of a bcrypt hash, which takes 5 s. Each step doubles the time."""

_HASH = re.compile(r"\$2[abxy]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
_GO_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|ms|s|m|h)")
_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading the configuration. `settings`: None if there are `problems`. `files`: all files read."""

    settings: Settings | None
    problems: tuple[Problem, ...]
    files: tuple[str, ...]


def read_config(path: str) -> Reading:
    """Read the file and the files that it refers to."""
    sections = Sections(path)
    try:
        root, duplicates = parse(read_whole(path, MAX_FILE_BYTES).decode("utf-8-sig"))
    except OSError as error:
        return _unreadable(path, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return _unreadable(path, "is not UTF-8 text")
    except YamlError as error:
        # The rest of the sentence is about catalogs.
        sentence = error.sentence.partition(";")[0]
        return Reading(None, (Problem(path, error.line, error.column, error.path, sentence),), (path,))
    for duplicate in duplicates:
        sections.problem_at(duplicate.line, duplicate.column, duplicate.path, duplicate.sentence)
    settings = _settings(Section(sections, root, ()))
    files = (path, *sections.files)
    problems = tuple(sections.problems)
    return Reading(None if problems else settings, problems, files)


def _unreadable(path: str, sentence: str) -> Reading:
    return Reading(None, (Problem(path, 0, 0, "", sentence),), (path,))


def _settings(root: Section) -> Settings:
    root.only("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
    tls = None
    clients = None
    if root.has("tls_server_config"):
        section = root.section("tls_server_config")
        section.only(*TLS_KEYS)
        tls, clients = read_tls(section)
    http = root.section("http_server_config")
    http.only("http2", "headers")
    if http.flag("http2", default=False):
        http.problem("http2", "HTTP/2 is not supported; write false, or leave it out")
    return Settings(
        tls=tls,
        clients=clients,
        users=_users(root),
        headers=_headers(http.section("headers")),
        rate=_rate(root.section("rate_limit")),
    )


def _headers(section: Section) -> Headers:
    section.only(*HEADERS)
    found = []
    for name, allowed in HEADERS.items():
        value = section.text(name)
        if not value:
            continue
        if allowed and value not in allowed:
            section.problem(
                name, f"{quoted(value)} is not a value of this header; {suggestion(value, allowed)}"
            )
        elif not value.isascii() or not value.isprintable():
            section.problem(name, "a header can contain only printable ASCII characters")
        else:
            found.append((name.lower().encode(), value.encode()))
    return tuple(found)


def _rate(section: Section) -> Rate | None:
    section.only("interval", "burst")
    written = section.scalar("interval")
    interval = _seconds(written)
    if interval is None:
        section.problem("interval", "not a duration; write one such as 100ms, 1s or 1m30s, or 0 for no limit")
        return None
    burst = section.number("burst")
    if interval == 0:
        return None
    if burst is None or burst < 1:
        section.problem(
            "burst",
            "with a burst below 1 no request is ever answered; write how many requests can come at once",
        )
        return None
    return Rate(interval, burst)


def _seconds(written: object) -> float | None:
    """Parse a Go duration to seconds; a plain number means nanoseconds."""
    if written is None or written == 0:
        return 0.0
    if isinstance(written, int) and not isinstance(written, bool):
        return written * 1e-9 if written > 0 else None
    text = str(written) if isinstance(written, str) else ""
    parts = list(_GO_DURATION.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        return None
    return sum(_go_part(part[0]) for part in parts)


def _go_part(text: str) -> float:
    number = text.rstrip("nuµmsh")
    return float(number) * _GO_UNITS[text[len(number) :]]


def _users(root: Section) -> Users | None:
    section = root.section("basic_auth_users")
    hashes: dict[str, bytes] = {}
    passwords: dict[str, bytes] = {}
    costs = []
    for name in section.keys:
        if ":" in name or not name:
            section.problem(name, "the name of a user must not be empty and must not contain a colon")
            continue
        if section.holds_mapping(name):
            user = section.section(name)
            user.only("password_file")
            password = user.secret_file("password_file")
            if password is not None:
                passwords[name] = hashlib.sha256(password).digest()
            continue
        match = _HASH.fullmatch(section.text(name) or "")
        if match is None:
            section.problem(
                name,
                "not a bcrypt hash; to create one, run: htpasswd -nBC 10 NAME (or write {password_file: PATH})",
            )
        elif not 4 <= (cost := int(match["cost"])) <= MAX_COST:
            section.problem(
                name, f"the cost of a bcrypt hash must be 4 to {MAX_COST}; with more a login takes too long"
            )
        else:
            hashes[name] = match[0].encode()
            costs.append(cost)
    if not hashes and not passwords:
        return None
    return Users(hashes, passwords, _decoy(max(costs)) if costs else None)


def _decoy(cost: int) -> bytes:
    import bcrypt

    return bcrypt.gensalt(cost) + b"." * 31


def weaker(old: Settings, new: Settings) -> str | None:
    """Return why the new settings are refused without a restart, because they are less secure; otherwise None. A
    half-written file can be valid and open to everybody."""
    how = "if this is intended, restart the exporter"
    if old.tls is not None and new.tls is None:
        return f"TLS was configured before and no longer is; {how}"
    if old.users is not None and new.users is None:
        return f"users were configured before and no longer are; {how}"
    if old.clients is not None and new.clients is None:
        return f"client_allowed_sans was configured before and no longer is; {how}"
    if _verifies(old) > _verifies(new):
        return f"client_auth_type is weaker than before; {how}"
    return None


def _verifies(settings: Settings) -> int:
    return settings.tls.verify_mode if settings.tls is not None else ssl.CERT_NONE
