"""JSON paths (RFC 9535) on a peer's JSON: the work of a query is counted in steps, so that it can be interrupted.

The library only parses a query and checks its types. It would evaluate it in a single call that takes 5 µs or more
for each value, so a query over a large document would block the loop for seconds; and its regular expressions
backtrack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jsonpath_rfc9535 import JSONPathQuery
from jsonpath_rfc9535 import compile as compile_path
from jsonpath_rfc9535.filter_expressions import (
    ComparisonExpression,
    FilterExpression,
    FilterExpressionLiteral,
    FilterQuery,
    FunctionExtension,
    LogicalExpression,
    PrefixExpression,
    RelativeFilterQuery,
    StringLiteral,
)
from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment
from jsonpath_rfc9535.selectors import (
    FilterSelector,
    IndexSelector,
    NameSelector,
    SliceSelector,
    WildcardSelector,
)

from exporter.patterns import Pattern

if TYPE_CHECKING:
    from jsonpath_rfc9535.filter_expressions import Expression
    from jsonpath_rfc9535.selectors import JSONPathSelector

PAUSE_STEPS = 5000
"""Steps until a pause: about 2 ms."""
MAX_STEPS = 50_000
"""Limit of steps between two pauses, for filters, which cannot be interrupted: 30 ms."""
CHARACTERS_A_STEP = 100
"""Characters of a compared or searched text that count as one step."""

PAUSE = object()
NOTHING = object()
"""The value in a comparison of a query that selects nothing (RFC 9535 section 2.4.1)."""


class TooManySteps(Exception):  # noqa: N818 - a verdict on the document, not an error of the program
    """A filter that examines too much of the document for each value."""


class Meter:
    """Counter of the steps of one evaluation since its last pause."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps = 0

    def add(self, steps: int = 1) -> None:
        """Count work that cannot be interrupted.

        Raises:
            TooManySteps: the work exceeds the limit.
        """
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise TooManySteps


Selector = Callable[[Any, Any, Meter], Iterator[Any]]
"""Selects children of a value: `(root, value, meter)`."""
Operand = Callable[[Any, Any, Meter], Any]
"""Part of a filter: `(root, current, meter)`."""


class Query:
    """A compiled path.

    Raises:
        jsonpath_rfc9535.JSONPathError, ValueError: the path is not valid, or RE2 rejects a regular expression in it.
    """

    __slots__ = ("_segments",)

    def __init__(self, path: str | JSONPathQuery) -> None:
        parsed = compile_path(path) if isinstance(path, str) else path
        self._segments = tuple(
            (isinstance(segment, JSONPathRecursiveDescentSegment), tuple(map(_selector, segment.selectors)))
            for segment in parsed.segments
        )

    def values(self, root: Any, current: Any, meter: Meter, *, pauses: bool = False) -> Iterator[Any]:
        """Yield the values that the path selects from `current`, in no particular order; now and then `PAUSE`.

        Raises:
            TooManySteps: a filter took too long.
        """
        segments = self._segments
        waiting: list[tuple[int, Iterator[Any]]] = [(0, iter((current,)))]
        while waiting:
            depth, values = waiting[-1]
            value = next(values, NOTHING)
            if value is NOTHING:
                waiting.pop()
                continue
            meter.add()
            if pauses and meter.steps > PAUSE_STEPS:
                meter.steps = 0
                yield PAUSE
            if value is PAUSE:
                continue
            if depth == len(segments):
                yield value
                continue
            descends, selectors = segments[depth]
            if descends:
                waiting.append((depth, iter(children(value))))
            waiting += [(depth + 1, select(root, value, meter)) for select in selectors]


def children(value: Any) -> Any:
    """Return the values inside a list or an object; nothing for any other value."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _selector(selector: JSONPathSelector) -> Selector:
    match selector:
        case NameSelector(name=name):
            return lambda _, value, __: iter(
                (value[name],) if isinstance(value, dict) and name in value else ()
            )
        case IndexSelector(index=index):
            return lambda _, value, __: iter(
                value[index:][:1] if isinstance(value, list) and _has(value, index) else ()
            )
        case SliceSelector(slice=part):
            return lambda _, value, __: iter(
                value[part] if isinstance(value, list) and part.step != 0 else ()
            )
        case WildcardSelector():
            return lambda _, value, __: iter(children(value))
        case FilterSelector(expression=expression):
            return _filter(_truth(expression))
    raise ValueError(f"the selector {selector} is not known")


def _has(value: list[Any], index: int) -> bool:
    return -len(value) <= index < len(value)


def _filter(holds: Operand) -> Selector:
    def select(root: Any, value: Any, meter: Meter) -> Iterator[Any]:
        for child in children(value):
            meter.add()
            if holds(root, child, meter):
                yield child
            if meter.steps > PAUSE_STEPS:
                yield PAUSE

    return select


def _truth(expression: Expression) -> Operand:
    """Compile a test (RFC 9535 section 2.3.5.1)."""
    match expression:
        case FilterExpression(expression=inner):
            return _truth(inner)
        case PrefixExpression(right=right):
            negated = _truth(right)
            return lambda *given: not negated(*given)
        case LogicalExpression(left=left, operator=operator, right=right):
            one, other = _truth(left), _truth(right)
            if operator == "&&":
                return lambda *given: one(*given) and other(*given)
            return lambda *given: one(*given) or other(*given)
        case ComparisonExpression(left=left, operator=operator, right=right):
            return _comparison(_operand(left), operator, _operand(right))
        case FilterQuery():
            nodes = _nodes(expression)
            return lambda *given: any(True for _ in nodes(*given))
        case FunctionExtension(name=name, args=[text, pattern]) if name in ("match", "search"):
            return _search(name, _operand(text), pattern)
    raise ValueError(f"the filter {expression} is not known")


def _operand(expression: Expression) -> Operand:
    """Compile an operand, which gives a value or `NOTHING`."""
    match expression:
        case FilterExpressionLiteral(value=value):
            return lambda *_: value
        case FilterQuery():
            nodes = _nodes(expression)
            return lambda *given: next(nodes(*given), NOTHING)
        case FunctionExtension(name="length", args=[argument]):
            measured = _operand(argument)
            return lambda *given: _length(measured(*given))
        case FunctionExtension(name="count", args=[FilterQuery() as argument]):
            counted = _nodes(argument)
            return lambda *given: sum(1 for _ in counted(*given))
        case FunctionExtension(name="value", args=[FilterQuery() as argument]):
            selected = _nodes(argument)
            return lambda *given: _only(selected(*given))
    raise ValueError(f"the filter {expression} is not known")


def _nodes(expression: FilterQuery) -> Callable[[Any, Any, Meter], Iterator[Any]]:
    query = Query(expression.query)
    if isinstance(expression, RelativeFilterQuery):
        return query.values
    return lambda root, _, meter: query.values(root, root, meter)


def _length(value: Any) -> Any:
    return len(value) if isinstance(value, str | list | dict) else NOTHING


def _only(values: Iterator[Any]) -> Any:
    first = next(values, NOTHING)
    return first if next(values, NOTHING) is NOTHING else NOTHING


def _search(name: str, text: Operand, pattern: Expression) -> Operand:
    if not isinstance(pattern, StringLiteral):
        raise ValueError(  # noqa: TRY004 - the catalog is wrong
            f"the expression of {name}() must be written in the path, not selected by it"
        )
    written = _without_line_ends(pattern.value)
    compiled = Pattern(rf"\A(?:{written})\z" if name == "match" else written)

    def found(root: Any, current: Any, meter: Meter) -> bool:
        value = text(root, current, meter)
        if not isinstance(value, str):
            return False
        meter.add(len(value) // CHARACTERS_A_STEP)
        return compiled.found_in(value)

    return found


def _without_line_ends(pattern: str) -> str:
    """Return the pattern with dots that do not match line ends, as RFC 9485 requires."""
    parts, position, in_class = [], 0, False
    while position < len(pattern):
        size = 2 if pattern[position] == "\\" else 1
        part = pattern[position : position + size]
        in_class = part == "[" or (in_class and part != "]")
        parts.append(r"[^\n\r]" if part == "." and not in_class else part)
        position += size
    return "".join(parts)


def _comparison(left: Operand, operator: str, right: Operand) -> Operand:
    def compare(root: Any, current: Any, meter: Meter) -> bool:
        one, other = left(root, current, meter), right(root, current, meter)
        if operator in ("<", "<=") and _less(one, other):
            return True
        if operator in (">", ">=") and _less(other, one):
            return True
        if operator in ("<", ">"):
            return False
        return same(one, other, meter) is not (operator == "!=")

    return compare


def _less(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one < other
    return _is_number(one) and _is_number(other) and bool(one < other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: Any, other: Any, meter: Meter) -> bool:
    """True if two values are equal in JSON: `true` is not 1, at any depth."""
    meter.add()
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b, meter) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], meter) for key in one)
    if isinstance(one, str):
        meter.add(len(one) // CHARACTERS_A_STEP)
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)
