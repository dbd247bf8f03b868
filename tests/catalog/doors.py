"""Short helpers that use the public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from exporter.catalog.loading import CatalogError, load_plan, validate_file
from exporter.outputs.checks import Rendering
from exporter.outputs.registry import OUTPUTS

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.planning.specs import ProbeSpec


class Write(Protocol):
    def __call__(self, text: str, *, project: bool = True) -> str: ...


def mistakes(path: str, environment: str | None = None) -> list[str]:
    """Return the mistakes found when a plan is loaded, one per line."""
    with pytest.raises(CatalogError) as caught:
        load_plan(path, environment)
    return str(caught.value).splitlines()


def validated(path: str) -> dict[str, Catalog]:
    """Return the catalogs of a valid file, by environment."""
    return validate_file(path, Rendering(OUTPUTS).refused).catalogs


def warned(path: str) -> list[str]:
    """Return the warnings about a valid file, one per line."""
    rendering = Rendering(OUTPUTS)
    return [str(warning) for warning in validate_file(path, rendering.refused, rendering.noted).warnings]


def all_mistakes(path: str) -> list[str]:
    """Return the mistakes found when every environment is validated."""
    with pytest.raises(CatalogError) as caught:
        validated(path)
    return str(caught.value).splitlines()


def spec(path: str, probe: str, environment: str | None = None) -> ProbeSpec:
    """Return the spec of the only probe with this name."""
    [found] = [target.spec for target in load_plan(path, environment).targets if target.probe == probe]
    return found
