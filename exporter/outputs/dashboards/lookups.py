"""Values of the catalog that follow the chosen service.

Grafana has no variable that maps one variable to another. A hidden one asks Prometheus instead, with a query that
needs no series: it carries the map as the text of a label, and a regular expression takes the part of the service
that is chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.model import Variable
from exporter.outputs.dashboards.text import promql_string

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAP, _VALUE = "map", "value"


def lookup(name: str, values: Mapping[str, str], default: str) -> Variable:
    """A hidden variable: the value of the service that the variable `service` has chosen.

    Keys are names of services. Values hold no `;`. `default` is not empty, since a label is never empty.
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
