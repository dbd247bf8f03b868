"""Keys that begin with x-: allowed wherever keys are fixed, ignored, and a place for anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from exporter.catalog.loading import load_catalog
from exporter.catalog.reading.schema import json_schema
from tests.catalog.doors import mistakes, validated

if TYPE_CHECKING:
    from tests.catalog.doors import Write

SCHEMA = jsonschema.Draft202012Validator(json_schema())

EVERYWHERE = """
x-common: &common {restart: always, x-why: [1], labels: {team: shop}}
x-variables: &variables {A: a, B: b}
services:
  web:
    <<: *common
    image: web:1
    port: 80
    x-note: {anything: [1, {a: b}]}
    environment: {<<: *variables, B: c}
    healthcheck: {x-a: 1}
    resources: {x-a: 1}
    volumes: [{source: data, target: /x, x-a: 1}]
    depends_on: {db: {condition: started, x-a: 1}}
    probes: [{name: a, tcp: 80, x-a: 1}]
  api: {<<: *common, build: {context: ., x-a: 1}, restart: "no", port: 81}
stores: {db: {engine: redis, auth: off, x-a: 1}}
volumes: {data: {x-a: 1}}
secrets: {key: {x-a: 1}}
environments: {test: {x-a: 1, x-b: , services: {web: {x-note: ~, x-more: 2}}}}
"""


def test_they_are_ignored_and_anchors_in_them_work(write: Write) -> None:
    file = write(EVERYWHERE)
    web, api = (load_catalog(file, "test").services[name] for name in ("web", "api"))
    assert (web.restart, api.restart) == ("always", "no")
    assert set(web.environment) == {"A", "B"}
    assert web.environment["B"].literal == "c"  # type: ignore[union-attr, unused-ignore] # a template
    assert web.labels == api.labels == {"team": "shop"}
    assert set(validated(file)) == {"test"}


def test_the_schema_for_editors_allows_them() -> None:
    data: dict[str, Any] = {"project": "shop", **yaml.safe_load(EVERYWHERE)}
    SCHEMA.validate(data)
    del data["services"]["web"]["x-note"]
    data["services"]["web"]["y-note"] = 1
    assert not SCHEMA.is_valid(data)


@pytest.mark.parametrize(
    ("catalog", "line"),
    [
        (
            "services: {web: {x-image: web}}",
            (
                "services.web: nothing to watch or to deploy; give it an image, a build, a port, health or "
                "probes, or managed: off if somebody else runs its containers"
            ),
        ),
        (
            "services: {web: {port: 80, x-a: 1, prot: 1}}",
            'config.yaml:2:36: services.web.prot: unknown key; did you mean "port"?',
        ),
        (
            "services: {x-web: 1}",
            "config.yaml:2:12: services.x-web: expected a mapping, found a number 1",
        ),
    ],
)
def test_they_hide_no_mistake(catalog: str, line: str, write: Write) -> None:
    assert mistakes(write(catalog))[0].endswith(line)
