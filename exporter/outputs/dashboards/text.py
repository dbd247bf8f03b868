"""Escaping of catalog text for PromQL, Markdown and URLs.

Grafana replaces `$name`, `${name}` and `[[name]]` in queries, titles, text panels, descriptions and URLs. It has no
escape for them (`$$name` is a `$` and the variable), so `$` and `[` are escaped in the way of each language.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

_PROMQL = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "$": "\\x24",
    "[": "\\x5b",
}

_ADDRESS_SIGNS = "/:?#@!&'()*+,;=%~"
"""Characters that are kept in a URL; all others, including `$` and `[`, become %XX."""


def promql_string(text: str) -> str:
    """Return a PromQL string literal, with its quotes."""
    return '"' + "".join(_PROMQL.get(sign, sign) for sign in text) + '"'


def selector(metric: str, matchers: str) -> str:
    """Return a selector of a metric. An invalid name becomes a matcher, so the query parses but selects nothing."""
    if _METRIC_NAME.fullmatch(metric):
        return f"{metric}{{{matchers}}}"
    return f"{{__name__={promql_string(metric)},{matchers}}}"


def is_label_name(text: str) -> bool:
    """True if a series can have a label of this name."""
    return bool(_LABEL_NAME.fullmatch(text))


def markdown(text: str) -> str:
    """Return plain text for Markdown, also in table cells: special characters become HTML entities."""
    lines = text.strip().splitlines()
    return "<br>".join(re.sub(r"[^\w\s,]|_", lambda sign: f"&#{ord(sign[0])};", line) for line in lines)


def address(text: str) -> str:
    """Return a URL from the catalog, escaped."""
    return quote(text, safe=_ADDRESS_SIGNS)


def title_of(catalog: Catalog) -> str:
    """Return the display name of the project."""
    return catalog.title or catalog.project.replace("-", " ").title()
