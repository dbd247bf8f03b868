"""Catalog values that depend on the selected service.

Grafana cannot map one variable to another. Instead, a hidden variable asks Prometheus with a query that needs no
series: the query has the map as the text of a label, from which a regular expression extracts the value of the
selected service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.model import Variable
from exporter.outputs.dashboards.text import promql_string

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAP, _VALUE = "map", "value"


def lookup(name: str, values: Mapping[str, str], default: str) -> Variable:
    """Return a hidden variable: the value of the service that the variable `service` selects.

    Keys are names of services. Values contain no `;`. `default` must not be empty, because a label cannot be empty.
    """
    text = ";" + "".join(f"{service}={value};" for service, value in values.items())
    source = _labelled("vector(1)", _MAP, text)
    source = _labelled(source, _VALUE, default)
    chosen = f'label_replace({source}, "{_VALUE}", "$1", "{_MAP}", ".*;${{service:raw}}=([^;]*);.*")'
    return Variable(
        name, query=f"query_result({_labelled(chosen, _MAP, '')})", regex=f'/{_VALUE}="([^"]*)"/', hidden=True
    )


def _labelled(vector: str, label: str, value: str) -> str:
    return f'label_replace({vector}, "{label}", {promql_string(value)}, "", "")'
