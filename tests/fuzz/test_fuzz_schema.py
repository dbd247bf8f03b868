"""The JSON Schema accepts everything that the loader accepts, so editors never mark a working catalog."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.catalog.reading.environments import overlaid
from exporter.catalog.reading.schema import json_schema
from exporter.catalog.reading.validation import validate
from exporter.catalog.reading.yaml_scalars import YamlError
from exporter.catalog.reading.yaml_tree import parse
from tests.fuzz.catalogs import CATALOGS, changed, parts

SCHEMA = jsonschema.Draft202012Validator(json_schema())
PARTS = [part for catalog in CATALOGS for part in parts(catalog)]


def accepted(catalog: dict[str, Any]) -> bool:
    """True if the models accept it in its base and in every environment."""
    try:
        root, _ = parse(json.dumps(catalog))
    except YamlError:
        return False
    environments = catalog.get("environments")
    names = [None, *(environments if isinstance(environments, dict) else ())]
    return all(not validate(overlaid(root, name))[1] for name in names)


@settings(derandomize=True, max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_what_the_loader_accepts_the_schema_accepts(seed: int) -> None:
    chance = random.Random(seed)
    catalog = changed(chance, chance.choice(PARTS))
    if accepted(catalog):
        error = jsonschema.exceptions.best_match(SCHEMA.iter_errors(catalog))
        assert error is None, f"{json.dumps(catalog)}\n{error.json_path}: {error.message}"


ONCE_REFUSED = {
    "a switch": {"exporter": {"containers": False}},
    "nothing": {"services": {"web": {"port": 80, "probes": [{"name": "a", "tcp": None}]}}},
    "nothing beside": {"services": {"web": {"port": 80, "probes": [{"name": "a", "tcp": 1, "dns": None}]}}},
    "true": {"stores": {"db": {"engine": "redis", "backup": True}}},
    "small letters": {
        "services": {"web": {"probes": [{"name": "a", "dns": {"name": "a.test", "type": "mx"}}]}}
    },
    "an emptied mapping": {
        "services": {"web": {"image": "w", "environment": {"A": {"secret": "a"}}}},
        "environments": {"a": {"services": {"web": {"environment": {"A": {}}}}}},
    },
    "an emptied receiver": {"owners": {"a": {"slack": None}}},
    "a scheme in capitals": {"grafana": {"url": "HTTP://grafana.test"}},
    "a schedule with spaces": {"volumes": {"a": {"backup": " 0 3 * * * "}}},
    "a number as text": {
        "services": {"web": {"image": "w", "user": 1000, "labels": {"a": 1.5}, "command": 5}}
    },
    "a reference with a default": {"alertmanager": {"slack_url": "${URL:?set it}"}},
}


@pytest.mark.parametrize("catalog", ONCE_REFUSED.values(), ids=ONCE_REFUSED)
def test_what_was_once_refused(catalog: dict[str, Any]) -> None:
    whole = {"project": "shop", **catalog}
    assert accepted(whole)
    SCHEMA.validate(whole)
