"""Keys that the mapper writes and this version of the catalog does not have. They are taken out, with a row about each.

Compared with the models themselves, so a key is written as soon as the catalog has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from exporter.catalog.catalog import Catalog
from exporter.catalog.keys.container.healthcheck import HealthCheck
from exporter.catalog.keys.services import Service
from exporter.catalog.keys.stores import Store
from exporter.catalog.values import references

if TYPE_CHECKING:
    from pydantic import BaseModel

ENGINES = frozenset(get_args(Store.model_fields["engine"].annotation))
"""Engines of stores that the catalog has."""


def take_out(catalog: dict[str, Any]) -> list[str]:
    """Remove keys that the catalog does not have; return their paths."""
    left = _without(catalog, Catalog, ())
    for section, model in (("services", Service), ("stores", Store)):
        for name, keys in catalog.get(section, {}).items():
            left += _without(keys, model, (section, name))
            if "healthcheck" in keys:
                left += _without(keys["healthcheck"], HealthCheck, (section, name, "healthcheck"))
                if not keys["healthcheck"]:
                    del keys["healthcheck"]
            left += _variables(keys.get("environment", {}), (section, name, "environment"))
    return left


def _variables(environment: dict[str, Any], path: tuple[str, ...]) -> list[str]:
    """Remove variables without a value, and write secrets as files, where the catalog has no other way."""
    if hasattr(references, "parse_variable_value"):
        return []
    left = []
    for name, value in [*environment.items()]:
        if isinstance(value, dict):
            environment[name] = {"secret": value["secret"]}
            left.append(".".join((*path, name, "as")))
        elif value is None:
            del environment[name]
            left.append(".".join((*path, name)))
    return left


def _without(keys: dict[str, Any], model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    fields = {field.alias or name for name, field in model.model_fields.items()}
    unknown = [key for key in keys if key not in fields]
    for key in unknown:
        del keys[key]
    return [".".join((*path, key)) for key in unknown]
