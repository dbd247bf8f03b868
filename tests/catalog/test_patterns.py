"""Regular expressions of the catalog are RE2's. In every key, unsupported syntax is an error that
says what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_plan
from tests.catalog.doors import mistakes, spec

if TYPE_CHECKING:
    from tests.catalog.doors import Write

PLACES = {
    "body": "health: {body: {matches: PATTERN}}",
    "a body that must not match": "health: {body: {not_matches: [ok, PATTERN]}}",
    "json": "health: {json: {path: $.a, matches: PATTERN}}",
    "header": "health: {header: {Server: PATTERN}}",
    "tcp": "probes: [{name: a, tcp: {exchanges: [{expect: PATTERN}]}}]",
    "dns": "probes: [{name: a, dns: {name: a.test, answers: PATTERN}}]",
    "websocket": "probes: [{name: a, websocket: {expect: PATTERN}}]",
    "logs": "logs: {patterns: {slow: PATTERN}}",
}
LACKS = {
    "(?!.*error)": "RE2 has no look-around",
    "(?<=a)b": "RE2 has no look-around",
    r"(a)\1": "RE2 has no back-references",
    "(?>a)": "RE2 has no atomic groups",
    r"a\Z": r"write \z for the end of the text",
    "(": "missing )",
}
HAS = (r"(?i)^ok$", r"\d+\.\d+", r"(?P<name>x)|\pL", ".*Welcome.*", r"^(\w+\s?)*$", "a{1000}")


def single(text: str) -> str:
    """Return the text in single quotes, in which YAML has no escapes."""
    return "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize(("pattern", "advice"), LACKS.items())
def test_what_re2_lacks_is_an_error(write: Write, place: str, pattern: str, advice: str) -> None:
    path = write(
        f"services: {{web: {{image: web, port: 80, {place.replace('PATTERN', single(pattern))}}}}}\n"
    )
    [line] = mistakes(path)
    assert line.startswith("config.yaml:2:")
    assert "is not a regular expression (RE2): " in line
    assert advice in line


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("pattern", HAS)
def test_what_re2_has_is_taken_as_it_is(write: Write, place: str, pattern: str) -> None:
    path = write(
        f"services: {{web: {{image: web, port: 80, {place.replace('PATTERN', single(pattern))}}}}}\n"
    )
    assert load_plan(path)


@pytest.mark.parametrize("text", ["a.b", "(", r"\d", "ü +", "a\\nb", "$"])
def test_literal_text_is_no_pattern(write: Write, text: str) -> None:
    from exporter.catalog.planning.specs import HttpSpec
    from exporter.patterns import Pattern

    path = write(f"services: {{web: {{image: web, port: 80, health: {{body: {single(text)}}}}}}}\n")
    http = spec(path, "health")
    assert isinstance(http, HttpSpec)
    [condition] = http.body_conditions
    pattern = Pattern(condition.pattern)
    assert pattern.found_in(f"before {text} after")
    assert not pattern.found_in("something else 1 anb")
