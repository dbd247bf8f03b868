"""JSON paths: they select the same values as the library does, in steps that can be interrupted."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonpath_rfc9535 import JSONPathError
from jsonpath_rfc9535 import compile as compile_path

from exporter.json_path import PAUSE, Meter, Query, TooManySteps, same

DOCUMENT = json.loads(
    """{"status": "up", "n": 1, "t": true, "none": null, "list": [1, 2.5, "x", [3], {"a": 4}],
    "deps": [{"name": "db", "ok": true, "load": 3}, {"name": "cache\\nx", "ok": false, "load": 9, "tags": ["a", "b"]}],
    "deep": {"a": {"a": {"a": 1, "b": [true, 1, "1"]}}}, "limit": 5, "": {"x": ""}}"""
)
PATHS = """
$
$.status
$.missing
$['deps'][0].name
$.list[0]
$.list[-1]
$.list[9]
$.list[-9]
$.status[0]
$.list[1:3]
$.list[::-2]
$.list[5:1:-1]
$.list[::0]
$.deps[*]
$.*
$..a
$..*
$..[0]
$..[0, 1:]
$['n', 'n', 'status']
$.deps[?@.ok]
$.deps[?!@.ok]
$.deps[?@.ok == true]
$.deps[?@.ok != true].name
$.deps[?@.load > 3]
$.deps[?@.load >= 3 && @.load <= 3]
$.deps[?@.load < $.limit || @.tags]
$.deps[?@.missing == $.gone]
$.deps[?@.missing <= $.gone]
$.deps[?@.missing != 1]
$.deps[?length(@.name) == 2]
$.deps[?length(@.tags) == 2]
$.deps[?length(@.load) == 2]
$.deps[?count(@.*) > 3]
$.deps[?value(@..ok) == false]
$.deps[?value(@.*) == false]
$.deps[?match(@.name, 'd.')]
$.deps[?match(@.name, 'cache.x')]
$.deps[?search(@.name, '^c|b')]
$.deps[?search(@.load, '3')]
$.deps[?@.name < 'cz']
$..[?@ == 1]
$..[?@ == true]
$..[?@ == null]
$..[?@.a]
$..[?@..b]
$..b[?@ == '1']
$.list[?@ > 1]
$[?@[0]]
""".strip().splitlines()


def selected(path: str, document: Any) -> list[str]:
    found = Query(path).values(document, document, Meter(), pauses=True)
    return sorted(json.dumps(value) for value in found if value is not PAUSE)


@pytest.mark.parametrize("path", PATHS)
def test_as_the_library_selects(path: str) -> None:
    assert selected(path, DOCUMENT) == sorted(
        json.dumps(v) for v in compile_path(path).find(DOCUMENT).values()
    )


def test_the_same_value_at_any_depth() -> None:
    """Cover values that the library confuses, such as `[true]` and `[1]`."""
    assert not same([True], [1], Meter())
    assert not same({"a": [0]}, {"a": [False]}, Meter())
    assert same({"a": [0, None], "b": "x"}, {"b": "x", "a": [0.0, None]}, Meter())


LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b", "1"])
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
OPERANDS = st.sampled_from(
    ["@", "@.a", "@.b[0]", "$.a", "1", "'a'", "true", "null", "length(@)", "count(@.*)", "value(@..b)"]
)
TESTS = st.one_of(
    st.sampled_from(["@.a", "!@.b", "@..c", "@[1]", "$..a[0]", "match(@, 'a|b')", "search(@.a, '[a1]')"]),
    st.tuples(OPERANDS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), OPERANDS).map(" ".join),
)
FILTERS = st.lists(TESTS, min_size=1, max_size=3).flatmap(
    lambda tests: st.sampled_from([" && ", " || "]).map(lambda operator: f"[?{operator.join(tests)}]")
)
SEGMENTS = st.one_of(
    st.sampled_from(
        [".a", ".*", "..a", "..*", "[0]", "[-1]", "[1:]", "[::-1]", "['a', 'b']", "[*, 0]", "..[0]"]
    ),
    FILTERS,
)


def has_numbers_for_booleans(document: object) -> bool:
    return "true" in json.dumps(document) or "false" in json.dumps(document)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SEGMENTS, max_size=3).map(lambda parts: "$" + "".join(parts)), DOCUMENTS)
def test_any_path_of_any_document(path: str, document: Any) -> None:
    try:
        query = compile_path(path)
    except JSONPathError:
        return
    if has_numbers_for_booleans(document):
        assert isinstance(selected(path, document), list)  # the library compares nested booleans as numbers
    else:
        assert selected(path, document) == sorted(
            json.dumps(value) for value in query.find(document).values()
        )


HOSTILE = {
    "flat": [0] * 60_000,
    "objects": [{"a": 0}] * 30_000,
    "deep": json.loads("[" * 900 + "1," * 0 + "1" + "]" * 900),
    "wide and deep": json.loads("[" * 90 + ",".join("0" for _ in range(30_000)) + "]" * 90),
}


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "path",
    [
        "$..status",
        "$..*",
        "$..*..*",
        "$..*..*..*",
        "$..[?@.a == 1]",
        "$..[?@..x]",
        "$[?count(@..*) > 1000000]",
        "$..[?@ == $]",
    ],
)
def test_no_document_holds_the_loop(path: str, document: Any) -> None:
    """Check that the steps between two pauses are short, however long the whole takes."""
    slowest, end = 0.0, time.monotonic() + 0.3
    values = Query(path).values(document, document, Meter(), pauses=True)
    started = mark = time.thread_time()
    try:
        for found in values:
            if found is PAUSE:
                now = time.thread_time()
                slowest, mark = max(slowest, now - mark), now
            if time.monotonic() > end:
                break
    except (TooManySteps, RecursionError):
        slowest = max(slowest, time.thread_time() - mark)
    assert slowest < 0.25, (
        f"{slowest:.3f} s of CPU without a pause, {time.thread_time() - started:.3f} s in all"
    )


@pytest.mark.parametrize("path", ["$[?match(@.a, $.b)]", "$[?search(@.a, @.b)]", "$[?match(@.a, '(?=x)')]"])
def test_expression_that_cannot_be_searched_in_linear_time(path: str) -> None:
    with pytest.raises(ValueError, match=r"must be written in the path|look-around"):
        Query(path)
