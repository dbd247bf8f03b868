"""The key `environment`: a container's variables, as a mapping or as a list."""

from __future__ import annotations

from typing import Annotated

from exporter.catalog.values.names import VariableName
from exporter.catalog.values.pairs import pairs
from exporter.catalog.values.references import VariableValue

Variables = Annotated[
    dict[VariableName, VariableValue | None], pairs(dict[VariableName, VariableValue | bool | None])
]
"""A variable without a value gets it from the environment in which Compose runs, if it is set there."""
