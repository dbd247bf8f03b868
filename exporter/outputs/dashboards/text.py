"""What a person wrote, put into PromQL, Markdown and addresses so that it means only itself.

Grafana replaces `$name`, `${name}` and `[[name]]` in queries, titles, text panels, descriptions and addresses. It has
no escape for them (`$$name` is a `$` and the variable), so each language must write the two signs in its own way.
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
"""Signs that stand in an address as they are; all others, `$` and `[` among them, become %XX."""


def promql_string(text: str) -> str:
    """A PromQL string literal, with its quotes."""
    return '"' + "".join(_PROMQL.get(sign, sign) for sign in text) + '"'


def selector(metric: str, matchers: str) -> str:
    """A selector of a metric by its name. A name that PromQL cannot write selects nothing, and still parses."""
    if _METRIC_NAME.fullmatch(metric):
        return f"{metric}{{{matchers}}}"
    return f"{{__name__={promql_string(metric)},{matchers}}}"


def is_label_name(text: str) -> bool:
    """Whether a series can have a label of this name."""
    return bool(_LABEL_NAME.fullmatch(text))


def markdown(text: str) -> str:
    """Plain text in Markdown, also in a table's cell: each sign that could mean something is an HTML entity."""
    lines = text.strip().splitlines()
    return "<br>".join(re.sub(r"[^\w\s,]|_", lambda sign: f"&#{ord(sign[0])};", line) for line in lines)


def address(text: str) -> str:
    """An address that a person wrote."""
    return quote(text, safe=_ADDRESS_SIGNS)


def title_of(catalog: Catalog) -> str:
    """The project's name for people."""
    return catalog.title or catalog.project.replace("-", " ").title()
