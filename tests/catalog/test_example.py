"""config.example.yaml, the JSON Schema and the reference page agree with the models."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from exporter.catalog.loading import load_catalog, load_plan
from exporter.catalog.reading.schema import json_schema
from exporter.catalog.reading.yaml_nodes import plain
from exporter.catalog.reading.yaml_tree import parse
from tests.catalog.doors import validated
from tests.catalog.test_mistakes import MISTAKES
from tools.catalog_page import reference_page

if TYPE_CHECKING:
    from exporter.catalog.reading.yaml_nodes import Node

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())

# Checks that a schema cannot express: they need the whole catalog, a library, or a sum.
BEYOND_SCHEMA = (
    "is not a duration between 1ms",
    "unknown service", "unknown secret", "unknown volume", "unknown owner", "unknown environment", "depends on itself",
    "is taken", "longer than the interval", "is not set", "cannot be read", "duplicate key", "not a regular expression",
    "not a JSON path", "not a time", "not a schedule", "not an address", "threshold", "exactly one of", "needs a port",
    "nothing to watch", "is the whole address", "already has the host", "nothing to match", "only once",
    "no error budget", "smaller one", "over 100",
    "from 0% to 100%", "cannot hold", "can hold only", "has no closing brace", "is not a mount", "is not a URL",
    "is not a WebSocket URL", "a secret cannot be written",
    "is not a name", "no volume of", "already has this name",
    "the backup of the configuration", "needs another name",
)  # fmt: skip


def as_json(node: Node) -> Any:
    """Return plain data with lists, as a JSON file contains it."""

    def lists(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: lists(item) for key, item in value.items()}
        return [lists(item) for item in value] if isinstance(value, tuple) else value

    return lists(plain(node))


def test_the_example_is_valid_in_every_environment_with_no_secret_at_hand() -> None:
    catalog = next(iter(validated(str(EXAMPLE)).values()))
    assert list(catalog.environments) == ["development", "testing", "staging", "production"]
    for name in catalog.environments:
        assert load_plan(EXAMPLE, name, secrets=False).environment == name


def test_the_example_carries_the_facts_of_pageforge() -> None:
    services = load_catalog(EXAMPLE, "production").services
    facts = {
        name: (
            service.port,
            service.build and service.build.context,
            list(service.depends_on),
            list(service.secrets),
        )
        for name, service in services.items()
        if service.deployed
    }
    assert facts == {
        "api-gateway": (
            8000,
            "./0-Api/api-gateway",
            ["sys-version-processor", "form-version-processor", "layout-backend"],
            ["jwt_secret_key", "api_keys"],
        ),
        "sys-version-processor": (8001, "./1-SysVersionProcessor", ["mongodb", "redis"], []),
        "form-version-processor": (8002, "./2-FormVersionProcessor", ["postgres"], ["db_password"]),
        "layout-backend": (8003, "./3-LayoutRenderer/backend", ["postgres", "redis"], ["db_password"]),
        "layout-frontend": (80, "./3-LayoutRenderer/frontend", ["layout-backend"], []),
    }
    scale = services["api-gateway"].scale
    assert scale is not None
    assert (services["api-gateway"].replicas, scale.min, scale.max) == (3, 2, 10)
    assert (scale.cpu, scale.memory) == (Decimal(70), Decimal(80))


def test_the_example_in_development_asks_published_ports() -> None:
    targets = [target.target for target in load_plan(EXAMPLE, secrets=False).targets]
    assert targets[:5] == [
        "http://localhost:8000/health",
        "http://localhost:8001/health",
        "http://localhost:8002/health",
        "http://localhost:8003/health",
        "http://localhost:5173/",
    ]


def test_the_schema_is_one_and_takes_the_example() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    node, _ = parse(EXAMPLE.read_text(encoding="utf-8"))
    VALIDATOR.validate(as_json(node))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_the_schema_refuses_what_it_can_see(mistake: Any) -> None:
    if any(words in mistake.line for words in BEYOND_SCHEMA):
        return
    node, _ = parse("project: shop\n" + mistake.catalog.replace("\n        ", "\n"))
    assert not VALIDATOR.is_valid(as_json(node))


def test_the_schema_takes_overlays_and_refuses_wrong_ones() -> None:
    def valid(overlay: str) -> bool:
        node, _ = parse(
            f"project: shop\nstores: {{db: {{engine: redis}}}}\nenvironments: {{dev: {overlay}}}\n"
        )
        return bool(VALIDATOR.is_valid(as_json(node)))

    assert valid("{stores: {db: {volume: data}}, gateway: {host: shop.example}, services: {web: ~}}")
    assert not valid("{stores: {db: {volme: data}}}")
    assert not valid("{project: other}")


def test_the_reference_page_is_current() -> None:
    page = (ROOT / "docs/catalog.md").read_text(encoding="utf-8")
    assert page == reference_page(), "out of date; run: make docs"
