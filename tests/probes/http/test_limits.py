"""Limits on what a hostile server can cost: bytes, memory and, above all, time in which no other target is served."""

from __future__ import annotations

import asyncio
import gzip
import re
import time
import tracemalloc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import Condition, HeaderCondition, HttpSpec, JsonCondition
from exporter.probes.base import ProbeResult, Reason
from exporter.probes.compile import compile_probe
from tests.probes.servers import Script, Server, answer, chunked, pours, redirect, says

if TYPE_CHECKING:
    from tests.probes.prober import Prober

MEBIBYTE = 1024 * 1024
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HELD_SECONDS = 0.25
"""The faults that this test looks for took seconds."""
EMPTY_MEMBER = gzip.compress(b"")


def json_of(unit: bytes, size: int) -> bytes:
    return answer(b"[" + unit * (size // len(unit)) + b"0]")


@dataclass
class Row:
    """The bytes of a server, the request, and the expected result."""

    script: Script
    reason: Reason
    detail: str = ""
    spec: dict[str, Any] = field(default_factory=dict)
    seconds: float = 5.0


def matches(*patterns: str, **more: Any) -> dict[str, Any]:
    return {"body_conditions": tuple(Condition(pattern) for pattern in patterns), **more}


def selects(path: str, **more: Any) -> dict[str, Any]:
    return {"json_conditions": (JsonCondition(path, **more),)}


ROWS = {
    "trailers for ever": Row(
        pours(CHUNKS + b"0\r\n", b"X-More: %s\r\n" % (b"x" * 1000)), Reason.PROTOCOL, "larger than 262144"
    ),
    "one trailer for ever": Row(
        pours(CHUNKS + b"0\r\nX: ", b"x" * 65536), Reason.PROTOCOL, "larger than 262144"
    ),
    "many trailers": Row(
        says(CHUNKS + b"0\r\n" + b"a:\r\n" * 2000 + b"\r\n"), Reason.PROTOCOL, "more than 1000"
    ),
    "many headers": Row(
        says(b"HTTP/1.1 200 OK\r\n" + b"a:\n" * 80_000 + b"\r\n"), Reason.PROTOCOL, "more than 1000"
    ),
    "many folded lines": Row(
        says(b"HTTP/1.1 200 OK\r\na:" + b"\r\n x" * 40_000 + b"\r\n\r\n"), Reason.PROTOCOL, "more than 1000"
    ),
    "blanks": Row(
        says(b"HTTP/1.1 200 OK\r\na" + b" " * 200_000 + b"x\r\n\r\n"), Reason.PROTOCOL, "not valid HTTP"
    ),
    "chunk extensions for ever": Row(
        pours(CHUNKS, b"1;%s\r\nx\r\n" % (b"x" * 4000)), Reason.PROTOCOL, "larger than 262144"
    ),
    "a chunk's line for ever": Row(
        pours(CHUNKS + b"1;", b"x" * 4096), Reason.PROTOCOL, "body is not valid HTTP"
    ),
    "chunks of one byte": Row(says(CHUNKS, b"1\r\nx\r\n" * 150_000 + b"0\r\n\r\n"), Reason.OK, seconds=20),
    "members of gzip": Row(
        says(answer(EMPTY_MEMBER * 100_000, "Content-Encoding: gzip")), Reason.ENCODING, "1000"
    ),
    "a line that a backtracking engine cannot leave": Row(
        says(answer(b"x" * 300_000)), Reason.BODY, "does not match", matches(".*Welcome.*")
    ),
    "41 bytes": Row(says(answer(b"x" * 40 + b"!")), Reason.BODY, "does not match", matches(r"^(\w+\s?)*$")),
    "a large body, many expressions": Row(
        says(answer(b"x" * 9_000_000)), Reason.BODY, "", matches(*["(x+x+)*x"] * 5, "(x+x+)+y"), 20
    ),
    "a large body of no charset": Row(
        says(answer(b"\xd2\xff" * 2_000_000, "Content-Type: text/plain; charset=cp1253")),
        Reason.BODY,
        "",
        matches("y"),
        20,
    ),
    "a header that a backtracking engine cannot leave": Row(
        says(answer(b"", "X-Long: " + "x" * 60_000 + "!")),
        Reason.HEADER,
        "does not match",
        {"header_conditions": (HeaderCondition("X-Long", r"^(\w+\s?)*$"),)},
    ),
    "JSON over its limit": Row(
        says(json_of(b"0,", 7_800_000)), Reason.SIZE, "larger than 262144", selects("$..status")
    ),
    "JSON of lists": Row(
        says(json_of(b"[],", 260_000)), Reason.BODY, "should exist", selects("$..status"), 20
    ),
    "JSON over a limit of its own": Row(
        says(json_of(b"[],", 900_000)),
        Reason.BODY,
        "should exist",
        selects("$..status") | {"max_json_bytes": MEBIBYTE},
        20,
    ),
    "JSON, by a filter": Row(
        says(json_of(b'{"a":0},', 260_000)), Reason.BODY, "", selects("$..[?@.a == 1]"), 20
    ),
    "JSON, by a path without end": Row(
        says(json_of(b"[[[[0]]]],", 260_000)), Reason.TIMEOUT, "", selects("$" + "..*" * 9, equals='"x"'), 1
    ),
    "JSON, by a filter without end": Row(
        says(json_of(b"[0],", 260_000)),
        Reason.SIZE,
        "too large for the filter",
        selects("$..[?count($..*) == 1]"),
    ),
    "JSON that is nested": Row(says(answer(b"[" * 100_000)), Reason.BODY, "not JSON", selects("$..a")),
    "a number of 200,000 digits": Row(says(answer(b"1" * 200_000)), Reason.BODY, "not JSON", selects("$")),
    "no number at all": Row(says(answer(b"[NaN]")), Reason.BODY, "not JSON", selects("$[0]")),
    "a Location of 200 kB": Row(says(redirect("/" + "../" * 66_000)), Reason.REDIRECT, "longer than 16384"),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_others_are_served(row: Row, prober: Prober) -> None:
    """Check that the loop keeps running while the probe of a hostile server runs."""
    with Server(row.script) as server:
        result, held = prober.run_watched(HttpSpec(server.url(), **row.spec), row.seconds)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail
    assert held < HELD_SECONDS, f"the loop was blocked for {held:.2f} s of CPU"


@pytest.mark.parametrize(
    "script",
    [
        pours(CHUNKS + b"0\r\nX: ", b"x" * 65536),
        pours(CHUNKS + b"0\r\n", b"X-More: y\r\n" * 5000),
        pours(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
        says(answer(EMPTY_MEMBER * 100_000, "Content-Encoding: gzip")),
        says(chunked(*[b"x"] * 5000), b"y" * 20 * MEBIBYTE),
    ],
    ids=["one-trailer", "trailers", "one-header", "gzip-members", "after-the-end"],
)
def test_memory(script: Script, prober: Prober) -> None:
    with Server(script) as server:
        tracemalloc.start()
        try:
            prober.run(HttpSpec(server.url()))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8 * MEBIBYTE, f"{peak / MEBIBYTE:.0f} MiB"


def test_memory_of_many_at_once(prober: Prober) -> None:
    """Check that only one probe at a time decodes a large body, in addition to the bodies themselves."""
    many, size = 6, 2 * MEBIBYTE

    async def all_at_once(url: str) -> list[ProbeResult]:
        specs = (HttpSpec(f"{url}{number}", **matches("x$", "y")) for number in range(many))
        probes = [compile_probe(spec, prober.shared) for spec in specs]
        return await asyncio.gather(*(probe.run(time.monotonic() + 20) for probe in probes))

    with Server(says(answer(b"\xff" * size))) as server:
        tracemalloc.start()
        try:
            results = prober.wait(all_at_once(server.url()))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert {result.reason for result in results} == {Reason.BODY}
    assert peak < 2 * many * size, f"{peak / MEBIBYTE:.0f} MiB"


def test_memory_of_a_body_in_small_chunks(prober: Prober) -> None:
    script = says(CHUNKS, b"2\r\nab\r\n" * 100_000 + b"0\r\n\r\n")
    with Server(script) as server:
        tracemalloc.start()
        try:
            result = prober.run(HttpSpec(server.url(), **matches("^ab")), 30)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert result.success, result.detail
    assert peak < 4 * MEBIBYTE, f"{peak / MEBIBYTE:.0f} MiB"
