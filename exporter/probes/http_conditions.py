"""What an HTTP answer must be, compiled at load; the first condition that does not hold gives the reason."""

from __future__ import annotations

import json
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http_answer import DECODED

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.catalog.specs import HttpSpec, JsonCondition
    from exporter.probes.http_answer import Answer
    from exporter.probes.measure import Run

Check = "Callable[[Answer, Run], None]"
SHOWN_TEXT = 80
"""How much of a peer's own words a detail repeats."""


class Conditions:
    """The conditions of one spec.

    Raises:
        re.error, jsonpath_rfc9535.JSONPathError: the catalog let a bad expression pass.
    """

    __slots__ = ("_body", "_headers", "_json", "_spec", "reads_body")

    def __init__(self, spec: HttpSpec) -> None:
        self._spec = spec
        self._headers = tuple(
            (c.name.lower(), re.compile(c.pattern), c.present) for c in spec.header_conditions
        )
        self._body = tuple((re.compile(c.pattern), c.present) for c in spec.body_conditions)
        self._json = tuple((_json_check(c), c) for c in spec.json_conditions)
        self.reads_body = bool(self._body or self._json)

    def judge(self, answer: Answer, run: Run) -> None:
        """Note what the answer says of itself, then hold it against every condition.

        Raises:
            ProbeFailure: `version`, `status`, `header`, `encoding` or `body`.
        """
        spec = self._spec
        run.facts["failed_due_to_regex"] = 0
        if spec.versions and answer.version not in spec.versions:
            wanted = " or ".join(spec.versions)
            raise ProbeFailure(Reason.VERSION, f"HTTP version {answer.version}, expected {wanted}")
        if not any(low <= answer.status <= high for low, high in spec.statuses):
            raise ProbeFailure(
                Reason.STATUS, f"status {answer.status}, expected {shown_statuses(spec.statuses)}"
            )
        for name, pattern, present in self._headers:
            _judge_header(answer, name, pattern, present, run)
        if spec.compression and answer.encoding.removeprefix("x-") != spec.compression:
            found = answer.encoding or "no compression"
            raise ProbeFailure(Reason.ENCODING, f"{found}, expected {spec.compression}")
        if self.reads_body:
            self._judge_body(answer, run)

    def _judge_body(self, answer: Answer, run: Run) -> None:
        if answer.encoding not in ("", "identity") and answer.encoding not in DECODED:
            raise ProbeFailure(Reason.ENCODING, f"cannot decompress {answer.encoding[:SHOWN_TEXT]}")
        if self._body:
            text = answer.body.decode("utf-8", "replace")
            for pattern, present in self._body:
                if bool(pattern.search(text)) is not present:
                    run.facts["failed_due_to_regex"] = 1
                    how = "does not match" if present else "matches"
                    raise ProbeFailure(Reason.BODY, f"body {how} {pattern.pattern!r}")
        if self._json:
            try:
                value = json.loads(answer.body)
            except (ValueError, RecursionError):
                raise ProbeFailure(Reason.BODY, "body is not JSON") from None
            for check, condition in self._json:
                if check(value) is not condition.present:
                    raise ProbeFailure(Reason.BODY, _shown_json(condition))


def _judge_header(answer: Answer, name: str, pattern: re.Pattern[str], present: bool, run: Run) -> None:
    value = answer.header(name)
    if value is None:
        if present:
            raise ProbeFailure(Reason.HEADER, f"header {name} is missing")
    elif bool(pattern.search(value)) is not present:
        run.facts["failed_due_to_regex"] = 1
        how = "does not match" if present else "matches"
        raise ProbeFailure(
            Reason.HEADER, f"header {name} is {value[:SHOWN_TEXT]!r}, which {how} {pattern.pattern!r}"
        )


def _json_check(condition: JsonCondition) -> Callable[[Any], bool]:
    # Imported here: most catalogs have no JSON condition, and the library costs a daemon 6 MB.
    from jsonpath_rfc9535 import JSONPathError
    from jsonpath_rfc9535 import compile as compile_path

    query = compile_path(condition.path)

    def select(value: Any) -> list[Any]:
        try:
            return query.find(value).values()
        except (JSONPathError, RecursionError):
            raise ProbeFailure(
                Reason.BODY, f"the JSON is nested too deeply to look for {condition.path}"
            ) from None

    if condition.equals is not None:
        wanted = json.loads(condition.equals)
        return lambda value: any(_same(found, wanted) for found in select(value))
    if condition.pattern is not None:
        pattern = re.compile(condition.pattern)
        return lambda value: any(pattern.search(_text(found)) for found in select(value))
    return lambda value: bool(select(value))


def _same(found: object, wanted: object) -> bool:
    """Equality as JSON has it: `true` is not 1, at any depth."""
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[key], wanted[key]) for key in found)
    return isinstance(found, bool) is isinstance(wanted, bool) and found == wanted


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown_json(condition: JsonCondition) -> str:
    path = condition.path
    verb = "" if condition.present else "not "
    if condition.equals is not None:
        return f"JSON {path} should {verb}be {condition.equals[:SHOWN_TEXT]}"
    if condition.pattern is not None:
        return f"JSON {path} should {verb}match {condition.pattern!r}"
    return f"JSON {path} should {verb}exist"


def shown_statuses(statuses: tuple[tuple[int, int], ...]) -> str:
    """`200, 204 or 300-399`."""
    texts = [str(low) if low == high else f"{low}-{high}" for low, high in statuses]
    return " or ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def last_modified(answer: Answer) -> float | None:
    """The Last-Modified header in seconds since the epoch; None when missing or not a date."""
    value = answer.header("last-modified")
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        # "-0000" is UTC of unknown place (RFC 5322 section 3.3); Python gives it no zone and would take ours.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
