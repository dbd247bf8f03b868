"""The keys of an HTTP probe for JSON and HTTP/2, from the file to the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import HttpSpec
from tests.catalog.doors import mistakes, spec

if TYPE_CHECKING:
    from tests.catalog.doors import Write

CATALOG = "services: {{web: {{health: {{url: 'http://web.test/', json: $.status, {keys}}}}}}}"


@pytest.mark.parametrize(
    ("keys", "max_json", "prior_knowledge"),
    [
        ("", 256 * 1024, False),
        ("max_json: 1Mi", 1024 * 1024, False),
        ("max_json: 100k, http2_prior_knowledge: true", 100_000, True),
        ("http2_prior_knowledge: true, versions: '2'", 256 * 1024, True),
    ],
)
def test_taken(keys: str, max_json: int, prior_knowledge: bool, write: Write) -> None:
    found = spec(write(CATALOG.format(keys=keys)), "health")
    assert isinstance(found, HttpSpec)
    assert (found.max_json_bytes, found.http2_prior_knowledge) == (max_json, prior_knowledge)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ("max_json: 2Mi", "write 1Mi or less"),
        ("http2_prior_knowledge: true, versions: '1.1'", "versions does not list it"),
        ("http2_prior_knowledge: often", "http2_prior_knowledge"),
    ],
)
def test_mistakes(keys: str, complaint: str, write: Write) -> None:
    [line] = mistakes(write(CATALOG.format(keys=keys)))
    assert complaint in line


def test_path_that_cannot_be_searched(write: Write) -> None:
    [line] = mistakes(
        write("services: {web: {health: {url: 'http://web.test/', json: \"$[?match(@.a, $.b)]\"}}}")
    )
    assert "must be written in the path" in line
