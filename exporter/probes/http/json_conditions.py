"""Conditions on a JSON body, which is searched in pieces."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from exporter.json_path import CHARACTERS_A_STEP, PAUSE, Meter, Query, TooManySteps, same
from exporter.patterns import Pattern
from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.planning.specs import JsonCondition

SHOWN_PARTS = 100
"""Parts of the JSON text of a value that a detail shows: brackets, texts and numbers."""
SHOWN_TEXT = 80
"""Characters of a value of the catalog that a detail shows."""
Test = Callable[[Any, Meter], bool]


class JsonConditions:
    """The JSON conditions of one spec.

    Raises:
        ValueError, jsonpath_rfc9535.JSONPathError: the catalog accepted an invalid expression.
    """

    __slots__ = ("_conditions", "_max_bytes")

    def __init__(self, conditions: tuple[JsonCondition, ...], max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._conditions = tuple((Query(c.path), _test(c), c) for c in conditions)

    def steps(self, body: bytes) -> Iterator[None]:
        """Check `body` against every condition; yield where other tasks may run.

        Raises:
            ProbeFailure: `body` or `size`.
        """
        if len(body) > self._max_bytes:
            # The parser cannot be interrupted, and one byte can take forty in memory.
            raise ProbeFailure(
                Reason.SIZE,
                f"the JSON is larger than {self._max_bytes} bytes, the limit of max_json",
            )
        try:
            value = _parsed(body)
        except (ValueError, RecursionError):
            raise ProbeFailure(Reason.BODY, "body is not JSON") from None
        yield  # parsing may have taken long
        meter = Meter()
        for query, test, condition in self._conditions:
            try:
                yield from _judge(value, query, test, condition, meter)
            except RecursionError:
                raise ProbeFailure(
                    Reason.BODY, f"the JSON is nested too deeply to evaluate {condition.path}"
                ) from None
            except TooManySteps:
                raise ProbeFailure(
                    Reason.SIZE, f"the JSON is too large for the filter in {condition.path}"
                ) from None


def _parsed(body: bytes) -> Any:
    """Return the value of a JSON text.

    The garbage collector is off meanwhile: it would scan everything again and again while the value grows.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return json.loads(body, parse_constant=_refuse)
    finally:
        if collects:
            gc.enable()


def _judge(value: Any, query: Query, test: Test, condition: JsonCondition, meter: Meter) -> Iterator[None]:
    met = False
    selected: list[Any] = []
    count = 0
    for found in query.values(value, value, meter, pauses=True):
        if found is PAUSE:
            yield None
            continue
        count += 1
        met = test(found, meter)
        if met or not selected:
            selected = [found]
        if met:
            break
    if met is not condition.present:
        raise _failure(condition, selected, 0 if met else count - 1)


def _test(condition: JsonCondition) -> Test:
    if condition.equals is not None:
        wanted = json.loads(condition.equals)
        return lambda found, meter: same(found, wanted, meter)
    if condition.pattern is None:
        return lambda _, __: True
    pattern = Pattern(condition.pattern)

    def matches(found: Any, meter: Meter) -> bool:
        text = found if isinstance(found, str) else json.dumps(found)
        meter.add(len(text) // CHARACTERS_A_STEP)
        return pattern.found_in(text)

    return matches


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}")


def _failure(condition: JsonCondition, selected: list[Any], others: int) -> ProbeFailure:
    """Return the failure of a condition that is not met, with a value that the path selects, if any."""
    wanted = _shown(condition)
    if not selected:
        nothing = condition.equals is not None or condition.pattern is not None
        return ProbeFailure(Reason.BODY, "{}{}", wanted, "; the path selects nothing" if nothing else "")
    more = f" (and {others} more)" if others > 0 else ""
    return ProbeFailure(Reason.BODY, "{}, found {}{}", wanted, PeerText(_beginning(selected[0])), more)


def _beginning(value: Any) -> str:
    """Return the first parts of the JSON text of a value; the whole can be as large as the body."""
    return "".join(islice(json.JSONEncoder(ensure_ascii=False).iterencode(value), SHOWN_PARTS))


def _shown(condition: JsonCondition) -> str:
    path = condition.path
    verb = "" if condition.present else "not "
    if condition.equals is not None:
        return f"JSON {path} should {verb}be {condition.equals[:SHOWN_TEXT]}"
    if condition.pattern is not None:
        return f"JSON {path} should {verb}match {condition.pattern!r}"
    return f"JSON {path} should {verb}exist"
