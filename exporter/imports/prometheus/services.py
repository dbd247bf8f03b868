"""Probes and scrapes by their target: services of the catalog, with names and times."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.hostnames import ascii_host
from exporter.imports.prometheus.config import duration

if TYPE_CHECKING:
    from exporter.imports.project import Place
    from exporter.imports.prometheus.jobs import Asked, Times
    from exporter.imports.prometheus.modules import Module
    from exporter.imports.prometheus.probes import Probed

MAX_LABEL = 63
_NOT_LABEL = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class ImportedService:
    """A service of the catalog: `keys` are the catalog's own, as it is written. `place`: its first target."""

    name: str
    keys: dict[str, Any]
    place: Place
    jobs: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    name: str
    place: Place
    jobs: list[str] = field(default_factory=list)
    probes: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """The probes as text: a file may hold thousands."""
    names: _Names = field(default_factory=lambda: _Names())
    metrics: dict[str, Any] | None = None
    address: tuple[str, int] | None = None


class Services:
    """Collects the services of an import. Everything that asks one host is one service; a number or localhost may be
    many programs, so there the port divides.
    """

    def __init__(self, times: Times) -> None:
        self._times = times
        self._drafts: dict[tuple[str, int | None], _Draft] = {}
        self._names = _Names()

    def add_probe(self, probed: Probed, module: Module, asked: Asked) -> None:
        """Add a probe of blackbox_exporter's."""
        draft = self._draft(probed.host, probed.port, asked)
        probe: dict[str, Any] = {probed.protocol: probed.keys}
        timeout = min(module.timeout or asked.times.timeout, asked.times.timeout)
        if asked.times.interval != self._times.interval:
            probe["interval"] = duration(asked.times.interval)
        if timeout != self._times.timeout:
            probe["timeout"] = duration(timeout)
        written = repr(probe)
        if written not in draft.known:
            draft.known.add(written)
            draft.probes[draft.names.unique(label(module.name))] = probe

    def add_scrape(self, host: str, port: int, asked: Asked, metrics: dict[str, Any]) -> None:
        """Add a scrape of a service's own metrics."""
        draft = self._draft(host, port, asked)
        if draft.metrics is not None:
            # A service has one such endpoint; this is another program of the same host.
            draft = self._draft(host, port, asked, apart=True)
        if asked.times.interval != self._times.interval:
            metrics = {**metrics, "interval": duration(asked.times.interval)}
        draft.metrics, draft.address = draft.metrics or metrics, draft.address or (host, port)

    def made(self) -> tuple[ImportedService, ...]:
        """Return the services in the order of the files."""
        return tuple(
            ImportedService(draft.name, _keys(draft), draft.place, tuple(dict.fromkeys(draft.jobs)))
            for draft in self._drafts.values()
        )

    def _draft(self, host: str, port: int | None, asked: Asked, *, apart: bool = False) -> _Draft:
        divided = apart or _may_be_many(host)
        key = (host, port if divided else None)
        if divided and port is None:
            # An echo asks the whole host; it joins the only service that is there.
            same = [known for known in self._drafts if known[0] == host]
            key = same[0] if len(same) == 1 else key
        draft = self._drafts.get(key)
        if draft is None:
            parts = (asked.name, host if not _is_local(host) else "") if divided and not apart else (host,)
            name = label(*parts)
            if name in self._names:
                name = label(*parts, str(port or ""))
            name = self._names.unique(name)
            draft = self._drafts[key] = _Draft(name, asked.place)
        draft.jobs.append(asked.name)
        return draft


def _keys(draft: _Draft) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if draft.address is not None:
        host, port = draft.address
        keys["address"], keys["port"] = f"[{host}]" if ":" in host else host, port
    if draft.metrics is not None:
        keys["metrics"] = draft.metrics or True
    if draft.probes:
        keys["probes"] = [{"name": name, **probe} for name, probe in draft.probes.items()]
    return keys


def label(*parts: str) -> str:
    """Return a name of the catalog for a host, a job or a module: lower-case letters, digits and hyphens."""
    text = "-".join(filter(None, (_NOT_LABEL.sub("-", _ascii(part).lower()).strip("-") for part in parts)))
    return text[:MAX_LABEL].strip("-") or "service"


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        return ascii_host(text)
    except ValueError:
        return ""


class _Names:
    """Names that are taken. It remembers the last number of each, so thousands of equal ones need no search."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def unique(self, name: str) -> str:
        """Return the name, or the first with a number that is free, and take it."""
        found = name
        while found in self._taken:
            self._numbers[name] = number = self._numbers.get(name, 1) + 1
            found = f"{name[: MAX_LABEL - len(f'-{number}')].rstrip('-')}-{number}"
        self._taken.add(found)
        return found


def _is_local(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _may_be_many(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
