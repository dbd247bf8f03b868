"""Answers of a simulated service that meet a probe's conditions, if a simple text can do that."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.probes.base import ProbeFailure
from exporter.probes.compile import Shared
from exporter.probes.http.answer import Answer
from exporter.probes.http.conditions import conditions_of
from exporter.probes.measure import Run

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import HttpSpec, JsonCondition

BODILESS = (204, 304)
UNESCAPED = re.compile(r"\\(.)")
SIMPLE_JSON_PATH = re.compile(r"\$\.([A-Za-z_]\w*)")
SERVER = ("server", "exporter-stand-in")


FRAMING = {"connection", "content-encoding", "content-length", "server", "transfer-encoding"}
"""Headers that the server itself sets."""
CONTENT_TYPES = ("text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json")


@dataclass(frozen=True, slots=True)
class StandInAnswer:
    """A complete answer. `body` is sent; `decoded` is the same before compression."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    decoded: bytes


def answer_for(spec: HttpSpec) -> StandInAnswer:
    """Return the answer to one probe's request that meets its conditions as far as a simple text can."""
    status = 200 if any(low <= 200 <= high for low, high in spec.statuses) else spec.statuses[0][0]
    headers = _headers(spec)
    decoded = body = b"" if status in BODILESS else _text(spec).encode()
    if spec.compression and body:
        body = gzip.compress(body, mtime=0) if spec.compression == "gzip" else zlib.compress(body)
        headers["content-encoding"] = spec.compression
    return StandInAnswer(status, tuple(headers.items()), body, decoded)


def unmet(spec: HttpSpec, answer: StandInAnswer) -> str:
    """Return the condition that the answer does not meet; empty if it meets all.

    The probe's own code checks the conditions, so the result always matches the page.
    """
    headers = dict(answer.headers)
    shown = Answer(
        status=answer.status,
        version="1.1",
        headers=[SERVER, *answer.headers],
        encoding=headers.get("content-encoding", ""),
        body=answer.decoded,
    )
    try:
        conditions_of(spec, Shared()).judge(shown, Run(time.monotonic()))
    except ProbeFailure as failure:
        return failure.detail
    return ""


def _headers(spec: HttpSpec) -> dict[str, str]:
    headers = {"content-type": "application/json" if spec.json_conditions else "text/plain; charset=utf-8"}
    for condition in spec.header_conditions:
        name, pattern = condition.name.lower(), condition.pattern
        if not condition.present or name in FRAMING:
            continue
        likely = CONTENT_TYPES if name == "content-type" else ()
        value = next((text for text in likely if re.search(pattern, text)), _plain(pattern))
        if value.isascii() and value.isprintable():
            headers[name] = value
    return headers


def _text(spec: HttpSpec) -> str:
    wanted = [_plain(condition.pattern) for condition in spec.body_conditions if condition.present]
    if not spec.json_conditions:
        return (
            "\n".join(wanted) or "ok\n"
        )  # no newline after them: RE2's `$` matches only at the end of the text
    value: dict[str, Any] = {}
    for condition in spec.json_conditions:
        path = SIMPLE_JSON_PATH.fullmatch(condition.path)
        if path and condition.present:
            value[path[1]] = _json_value(condition)
    return json.dumps(value) + "\n"


def _json_value(condition: JsonCondition) -> object:
    if condition.equals is not None:
        return json.loads(condition.equals)
    return True if condition.pattern is None else _plain(condition.pattern)


def _plain(pattern: str) -> str:
    """Return the text that an expression without operators matches: reverses `re.escape`."""
    return UNESCAPED.sub(r"\1", pattern.removeprefix("^").removesuffix("$"))
