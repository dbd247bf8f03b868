"""Strategies for JSON that is almost as an API sends it, and for bytes that arrive in any pieces."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

T = TypeVar("T")

STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**63),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["\ud800", "\x1b[2J", "0001-01-01T00:00:00Z", "9" * 50, "../x", "-1", "NaN"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def mutated(good: Any) -> st.SearchStrategy[Any]:
    """Return `good` with a few of its values, at any depth, replaced or removed."""
    places = list(_places(good, ()))
    changes = st.lists(st.tuples(st.sampled_from(places), STRANGE, st.booleans()), min_size=1, max_size=3)
    return changes.map(lambda found: _changed(good, found))


def pieces(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Return `data`, cut at any places."""
    cuts = st.lists(st.integers(0, len(data)), max_size=12).map(sorted)
    return cuts.map(
        lambda ends: [data[at:end] for at, end in zip([0, *ends], [*ends, len(data)], strict=True)]
    )


async def stream(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def text_of(value: object) -> bytes:
    """Return its JSON, with NaN and Infinity as Python writes them."""
    return json.dumps(value).encode()


def attempted(make: Callable[[], T], error: type[Exception]) -> tuple[T | None, str]:
    """Return the result of `make`, or the message of the error that it documents."""
    try:
        return make(), ""
    except error as raised:
        return None, str(raised)


def _places(value: Any, path: tuple[Any, ...]) -> Iterable[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from _places(one, (*path, key))


def _changed(good: Any, changes: list[tuple[tuple[Any, ...], Any, bool]]) -> Any:
    value = copy.deepcopy(good)
    for (*steps, last), new, leave_out in changes:
        place = value
        try:
            for step in steps:
                place = place[step]
            if leave_out and isinstance(place, dict):
                del place[last]
            else:
                place[last] = new
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change removed it
    return value
