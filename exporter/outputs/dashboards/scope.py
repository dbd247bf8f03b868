"""The selection of one project and environment, for a central Prometheus that stores several.

A Prometheus does not add its external labels to its own answers, only to what it sends to a central one. Each query
matches both labels. On an environment's own Prometheus the variables are empty, and so are the labels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.outputs.dashboards.model import Variable
from exporter.outputs.dashboards.text import promql_string

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

SCOPE = 'project="$project",environment="$environment"'

_WORDS = (
    *("and", "or", "unless", "bool", "offset", "NaN", "Inf"),
    *("sum", "min", "max", "avg", "count", "group", "topk", "bottomk", "quantile", "stddev", "stdvar"),
)
_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(
    rf"{_STRING}"
    r"|\$\{[^}]*\}|\$\w+"  # Grafana's variables
    r"|\[[^\]]*\]"  # ranges
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
    r"|\b[0-9][\w.]*"
    r"|\b[a-zA-Z_]\w*(?=\s*\()"  # functions
    rf"|\b(?:{'|'.join(_WORDS)})\b(?![:\w])"
    rf"|(?P<name>[a-zA-Z_:][\w:]*)?(?P<matchers>\{{(?:[^\"}}]|{_STRING})*\}})"
    r"|(?P<bare>[a-zA-Z_:][\w:]*)"
)
_LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)")


def scoped(expr: str) -> str:
    """Add the matchers of project and environment to each selector of an expression."""
    return _TOKEN.sub(_with_scope, expr)


def scoped_variable(query: str) -> str:
    """Add the matchers of project and environment to the query of a variable."""
    if match := _LABEL_VALUES.fullmatch(query):
        return f"label_values({scoped(match['selector'])}, {match['label']})"
    return scoped(query)


def scope_variables(catalog: Catalog) -> tuple[Variable, ...]:
    """Return the variables: the project, which is fixed, and the environment, which the user selects."""
    project = promql_string(catalog.prometheus.external_labels.get("project", catalog.project))
    return (
        Variable("project", "Project", f"label_values(up{{project={project}}}, project)", hidden=True),
        Variable("environment", "Environment", 'label_values(up{project="$project"}, environment)'),
    )


def _with_scope(match: re.Match[str]) -> str:
    if match["bare"]:
        return f"{match['bare']}{{{SCOPE}}}"
    if match["matchers"]:
        own = match["matchers"][1:-1].strip().rstrip(",")
        return f"{match['name'] or ''}{{{f'{own},' if own else ''}{SCOPE}}}"
    return match[0]
