"""Probe of TCP: a port must accept connections, speak TLS if required, and answer lines as expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from exporter.catalog.planning.specs import TlsSpec
from exporter.catalog.values.secret_text import SecretText
from exporter.patterns import Pattern
from exporter.peer_text import PeerText, Sentence
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe, Run
from exporter.probes.net.connect import connect
from exporter.probes.net.stream import LineStream
from exporter.probes.tcp import smtp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.catalog.planning.specs import Exchange, TcpSpec
    from exporter.catalog.values.secret_text import EnvironmentReference, FileReference
    from exporter.probes.compile import Shared
    from exporter.probes.tls.handshake import Tls

GROUP = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")
"""`${1}`, `$1`, `${name}` and `$$`, as in Go's `Regexp.Expand` and blackbox_exporter."""


@dataclass(frozen=True, slots=True)
class Group:
    """A placeholder in a line to send, for the text that a group of the expected pattern matched."""

    key: int | str


Part: TypeAlias = "str | Group | EnvironmentReference | FileReference"


@dataclass(frozen=True, slots=True)
class Step:
    """A compiled `Exchange`."""

    expect: Pattern | None
    send: tuple[Part, ...] | None
    starttls: bool


class TcpProbe(MeasuredProbe):
    """One connection and the exchange of lines on it.

    Raises:
        ValueError: the exchange is not possible.
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_before", "_rest", "_spec", "_tls")

    def __init__(self, spec: TcpSpec, shared: Shared) -> None:
        steps = tuple(_compile(exchange) for exchange in spec.exchanges)
        upgrades = [index for index, step in enumerate(steps) if step.starttls]
        if len(upgrades) + (spec.starttls is not None) > 1:
            raise ValueError("TLS can be started only once in a conversation")
        secured = spec.tls is not None or spec.starttls is not None or bool(upgrades)
        split = upgrades[0] + 1 if upgrades else 0
        self._spec = spec
        self._before, self._rest = steps[:split], steps[split:]
        self._tls: Tls | None = shared.tls(spec.tls or TlsSpec()) if secured else None

    async def ask(self, run: Run) -> None:
        stream = await self._open(run)
        try:
            if self._tls is not None:
                await stream.start_tls(self._tls, self._spec.host, run, lambda: self._open(run))
            run.facts["failed_due_to_regex"] = 0
            if self._spec.starttls == "smtp":
                run.enter("query")
                await smtp.after_tls(stream, run)
            await _converse(stream, self._rest, run)
            if self._spec.starttls == "smtp" and not self._rest:
                await smtp.leave(stream, run)
            await stream.flush()
        finally:
            stream.close()

    async def _open(self, run: Run) -> LineStream:
        """Return a connection that is ready for TLS, or without TLS, for the first step."""
        spec = self._spec
        _, stream = await connect(lambda: LineStream(run), spec.host, spec.port, spec.ip_protocol, run)
        try:
            if spec.starttls == "smtp":
                run.enter("query")
                await smtp.before_tls(stream, run)
            if self._before:
                run.facts["failed_due_to_regex"] = 0
            await _converse(stream, self._before, run)
        except BaseException:
            stream.close()
            raise
        return stream


async def _converse(stream: LineStream, steps: Iterable[Step], run: Run) -> None:
    for step in steps:
        run.enter("query")
        groups = {} if step.expect is None else await _expected(stream, step.expect, run)
        if step.send is not None:
            stream.send(_line(step.send, groups, run))


async def _expected(stream: LineStream, pattern: Pattern, run: Run) -> Mapping[int | str, str]:
    """Return the groups of the first line that matches; others are skipped, as in blackbox_exporter."""
    wanted = f"a line that matches {pattern.text!r}"
    awaited = Sentence("{}; nothing was received", wanted)
    run.awaited = wanted
    while (line := await stream.line()) is not None:
        groups = pattern.search(line)
        if groups is not None:
            return groups
        run.awaited = awaited = Sentence("{}; the last line was {}", wanted, PeerText(line))
    run.facts["failed_due_to_regex"] = 1
    raise ProbeFailure(Reason.DISCONNECT, f"connection closed before {awaited.template}", *awaited.words)


def _line(parts: Iterable[Part], groups: Mapping[int | str, str], run: Run) -> bytes:
    """Return the bytes to send. Matched texts and secrets are inserted unchanged, even if they hold dollar signs."""
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Group):
            texts.append(groups.get(part.key, ""))
        else:
            texts.append(run.read(SecretText((part,))))
    return "".join(texts).encode() + b"\n"


def _compile(exchange: Exchange) -> Step:
    expect = None if exchange.expect is None else Pattern(exchange.expect, captures=True)
    send = None if exchange.send is None else tuple(_parts(exchange.send, expect))
    return Step(expect, send, exchange.starttls)


def _parts(send: str | SecretText, expect: Pattern | None) -> Iterable[Part]:
    """Yield the parts of a line; only plain text of the catalog can name groups, and only after an expectation."""
    for part in (send,) if isinstance(send, str) else send.parts:
        if expect is None or not isinstance(part, str):
            yield part
            continue
        end = 0
        for found in GROUP.finditer(part):
            yield part[end : found.start()]
            yield "$" if found[3] else Group(_key(found[1] or found[2], expect))
            end = found.end()
        yield part[end:]


def _key(name: str, expect: Pattern) -> int | str:
    key: int | str = int(name) if name.isascii() and name.isdecimal() and len(name) < 5 else name
    if key in expect.groups:
        return key
    raise ValueError(f"${{{name}}} is not a group of {expect.text!r}; write $$ for a dollar sign")
