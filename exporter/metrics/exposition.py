"""Text of a scrape: the lines of finished probes, joined by family."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Literal

from exporter.metrics.series import families_of
from exporter.metrics.text import help_text
from exporter.probes.protocols import PROBE_FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from exporter.metrics.family import ItemFamily
    from exporter.metrics.items import Items, Rows
    from exporter.metrics.series import Series
    from exporter.probes.families import Family

Format = Literal["text", "openmetrics"]

CONTENT_TYPES: dict[Format, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
CHUNKS_AT_ONCE = 500
"""Series per block. Joining the histograms of 10,000 at once would take 28 MB and delay probes by 25 ms."""


def negotiate(accept: str) -> Format:
    """Return OpenMetrics if the client prefers it to plain text, as Prometheus does; otherwise text."""
    ranks: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        version = "1.0.0"
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
            elif name == "version":
                version = value.strip('"')
        if kind == "application/openmetrics-text" and version not in ("0.0.1", "1.0.0"):
            continue
        ranks[kind] = max(quality, ranks.get(kind, 0.0))
    openmetrics = ranks.get("application/openmetrics-text", 0.0)
    plain = max(ranks.get("text/plain", 0.0), ranks.get("text/*", 0.0))
    return "openmetrics" if openmetrics > 0 and openmetrics >= plain else "text"


def accepts_gzip(accept_encoding: str) -> bool:
    """True if the client accepts gzip (RFC 9110 section 12.5.3)."""
    for part in accept_encoding.split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def blocks(
    series: Iterable[Series], form: Format, items: Iterable[Items[Any] | Rows] = ()
) -> Iterator[bytes]:
    """Yield the text of each family that has samples, in the order of the tables, in blocks of limited size.

    The lines are collected from all series before the first block is made, so the whole scrape shows one moment,
    even if probes end between two blocks.
    """
    finished: dict[str, list[tuple[bytes, ...]]] = defaultdict(list)
    for one in series:
        if one.chunks is not None:
            finished[one.protocol].append(one.chunks)
    columns = {
        protocol: dict(zip(families_of(protocol), zip(*chunks, strict=True), strict=True))
        for protocol, chunks in finished.items()
    }
    del finished
    tables = [(table.families, table.chunks()) for table in items]
    for family in PROBE_FAMILIES:
        chunks = [
            chunk for column in columns.values() if family in column for chunk in column.pop(family) if chunk
        ]
        yield from _blocks(family, chunks, form)
    for families, rows in tables:
        for index, item_family in enumerate(families):
            yield from _blocks(item_family, [row[index] for row in rows if row[index]], form)


def _blocks(family: Family | ItemFamily[Any], chunks: list[bytes], form: Format) -> Iterator[bytes]:
    for start in range(0, len(chunks), CHUNKS_AT_ONCE):
        head = _head(family.name, family.kind, family.help, form) if start == 0 else b""
        yield head + b"".join(chunks[start : start + CHUNKS_AT_ONCE])


@cache
def _head(name: str, kind: str, help_: str, form: Format) -> bytes:
    """Return the HELP and TYPE lines. In OpenMetrics a counter's name has no `_total` here but its samples must."""
    if form == "openmetrics" and kind == "counter":
        kind = "counter" if name.endswith("_total") else "unknown"
        name = name.removesuffix("_total")
    return f"# HELP {name} {help_text(help_)}\n# TYPE {name} {kind}\n".encode()
