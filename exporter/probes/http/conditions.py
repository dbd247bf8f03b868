"""Conditions on an HTTP answer, compiled at load; the first one that is not met gives the reason.

The head and a small body are checked at once. For a large body other tasks get turns: its text is decoded in pieces
and searched in a thread (RE2 releases Python's lock), and JSON is searched in pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from exporter.patterns import Pattern
from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.body import DECODED, cannot_decompress, encoding_of
from exporter.probes.http.head import utf8
from exporter.probes.http.text import decoded

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import HttpSpec
    from exporter.probes.compile import Shared
    from exporter.probes.http.answer import Answer
    from exporter.probes.measure import Run

SEARCHED_AT_ONCE_BYTES = 64 * 1024
"""Size of a body that is searched without a thread, which takes 0.1 ms to start."""
TURN_BYTES = 256 * 1024
"""Larger bodies are converted to text or JSON one at a time: that takes up to seven times their memory, so five pages
of 10 MiB at once would need more than a container has.
"""
UNAUTHORISED = {401, 403}
MAX_DATE_CHARACTERS = 64

SINGLE_FIELDS = {
    "age",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "location",
    "retry-after",
    "server",
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
}
"""Fields that are not lists, or whose values hold commas (RFC 9110 section 5.3): several lines are not joined."""

Steps = Generator[Callable[[], bool] | None, bool | None, None]
"""A check in steps: yields a search for a thread, whose result is sent back, or None where other tasks may run."""


def conditions_of(spec: HttpSpec, shared: Shared) -> Conditions:
    """Return the compiled conditions of a spec; specs with the same conditions share them."""
    key = (
        Conditions,
        spec.versions,
        spec.statuses,
        spec.header_conditions,
        spec.compression,
        spec.body_conditions,
        spec.json_conditions,
        spec.max_json_bytes,
    )
    turns = shared.once("turns of large HTTP bodies", lambda: asyncio.Semaphore(1))
    return shared.once(key, lambda: Conditions(spec, turns))


class Conditions:
    """The conditions of one spec.

    Raises:
        ValueError, jsonpath_rfc9535.JSONPathError: the catalog accepted an invalid expression.
    """

    __slots__ = ("_body", "_headers", "_json", "_spec", "_turns", "reads_body")

    def __init__(self, spec: HttpSpec, turns: asyncio.Semaphore) -> None:
        self._spec = spec
        self._turns = turns
        self._headers = tuple((c.name.lower(), Pattern(c.pattern), c.present) for c in spec.header_conditions)
        self._body = tuple((Pattern(c.pattern), c.present) for c in spec.body_conditions)
        self._json = None
        if spec.json_conditions:
            # Imported here: most catalogs have no JSON condition, and the library costs a daemon 6 MB.
            from exporter.probes.http.json_conditions import JsonConditions

            self._json = JsonConditions(spec.json_conditions, spec.max_json_bytes)
        self.reads_body = bool(self._body or self._json)

    async def hold_body(self, answer: Answer, run: Run) -> None:
        """Check the body against every condition; other tasks run in between.

        Raises:
            ProbeFailure: `encoding`, `size` or `body`.
        """
        body = answer.body
        if len(body) <= TURN_BYTES or (body.isascii() and not self._json):
            await self._hold_body(answer, run)
            return
        async with self._turns:
            await self._hold_body(answer, run)

    async def _hold_body(self, answer: Answer, run: Run) -> None:
        large = len(answer.body) > SEARCHED_AT_ONCE_BYTES
        steps = self._body_steps(answer, run)
        try:
            work = next(steps)
            while True:
                if work is None:
                    await asyncio.sleep(0)
                    work = next(steps)
                else:
                    work = steps.send(await asyncio.to_thread(work) if large else work())
        except StopIteration:
            pass

    def judge(self, answer: Answer, run: Run) -> None:
        """Run `judge_head` and `hold_body` in one call, without turns for other tasks."""
        self.judge_head(answer, run)
        steps = self._body_steps(answer, run)
        try:
            work = next(steps)
            while True:
                work = steps.send(work() if work is not None else False)
        except StopIteration:
            pass

    def judge_head(self, answer: Answer, run: Run) -> None:
        """Check everything but the body against the conditions.

        Raises:
            ProbeFailure: `version`, `status`, `header` or `encoding`.
        """
        spec = self._spec
        run.facts["failed_due_to_regex"] = 0
        if spec.versions and answer.version not in spec.versions:
            wanted = " or ".join(spec.versions)
            clear = spec.versions == ("2",) and not run.facts.get("ssl")
            hint = "; without TLS it needs http2_prior_knowledge: true" if clear else ""
            raise ProbeFailure(Reason.VERSION, f"HTTP version {answer.version}, expected {wanted}{hint}")
        if not any(low <= answer.status <= high for low, high in spec.statuses):
            _fail_status(answer, shown_statuses(spec.statuses))
        for name, pattern, present in self._headers:
            _judge_header(answer, name, pattern, present, run)
        if spec.compression and answer.encoding.removeprefix("x-") != spec.compression:
            if not answer.encoding:
                raise ProbeFailure(Reason.ENCODING, f"no compression, expected {spec.compression}")
            raise ProbeFailure(Reason.ENCODING, f"{{}}, expected {spec.compression}", encoding_of(answer))

    def _body_steps(self, answer: Answer, run: Run) -> Steps:
        if self.reads_body and answer.encoding not in ("", "identity") and answer.encoding not in DECODED:
            raise cannot_decompress(answer)
        if self._body:
            text: bytes | bytearray = b""
            for piece in decoded(answer.body, answer.header("content-type") or ""):
                if not text:
                    text = piece
                    continue
                yield None
                if not isinstance(text, bytearray):
                    text = bytearray(text)
                text += piece
            for pattern, present in self._body:
                found = yield partial(pattern.found_in_utf8, text)
                if found is not present:
                    run.facts["failed_due_to_regex"] = 1
                    how = "does not match" if present else "matches"
                    raise ProbeFailure(Reason.BODY, f"body {how} {pattern.text!r}")
        if self._json:
            yield from self._json.steps(answer.body)


def _fail_status(answer: Answer, wanted: str) -> NoReturn:
    detail = f"status {answer.status}, expected {wanted}"
    if answer.status in UNAUTHORISED and answer.withheld:
        raise ProbeFailure(
            Reason.STATUS,
            f"{detail}; {{}} got no credentials: after a redirect they are sent only to the same origin, or to https"
            " on the same host",
            PeerText(answer.withheld),
        )
    raise ProbeFailure(Reason.STATUS, detail)


def _judge_header(answer: Answer, name: str, pattern: Pattern, present: bool, run: Run) -> None:
    """Raise unless some value matches; with `present=False`, if one does. Lines are matched alone and joined."""
    values = [utf8(value) for value in answer.values(name)]
    if not values:
        if present:
            raise ProbeFailure(Reason.HEADER, f"header {name} is missing")
        return
    candidates = values
    if len(values) > 1 and name not in SINGLE_FIELDS:
        candidates = [", ".join(values), *values]
    matched = next((value for value in candidates if pattern.found_in(value)), None)
    if (matched is not None) is present:
        return
    run.facts["failed_due_to_regex"] = 1
    how = "does not match" if present else "matches"
    shown = PeerText(candidates[0] if matched is None else matched)
    others = f" (and {len(values) - 1} more)" if matched is None and len(candidates) > 1 else ""
    raise ProbeFailure(
        Reason.HEADER, f"header {name} is {{}}{others}, which {how} {{}}", shown, repr(pattern.text)
    )


def shown_statuses(statuses: tuple[tuple[int, int], ...]) -> str:
    """Return status codes in readable form: `200, 204 or 300-399`."""
    texts = [str(low) if low == high else f"{low}-{high}" for low, high in statuses]
    return " or ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def last_modified(answer: Answer) -> float | None:
    """Return the Last-Modified header in seconds since the epoch; None if it is missing or not a date."""
    value = answer.last_modified
    if value is None or len(value) > MAX_DATE_CHARACTERS:
        return None
    try:
        moment = parsedate_to_datetime(value)
        # "-0000" is UTC (RFC 5322 section 3.3); Python gives it no zone and would use the local one.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
