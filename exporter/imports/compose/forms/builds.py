"""`build`: a folder, or a mapping with everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from exporter.imports.compose.forms.base import mapping_of, optional
from exporter.imports.compose.forms.pairs import Pair, pairs


@dataclass(frozen=True, slots=True)
class Build:
    """The build of an image."""

    context: str = "."
    dockerfile: str | None = None
    dockerfile_inline: str | None = None
    target: str | None = None
    args: tuple[Pair, ...] = ()
    rest: dict[str, Any] = field(default_factory=dict)
    """Other keys as written: cache_from, labels, network, platforms, secrets, ssh, …"""


def build(value: Any) -> Build | None:
    """Return a build; None if there is none.

    Raises:
        FormError: it is neither a text nor a mapping.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return Build(value)
    mapping = mapping_of(value)
    return Build(
        optional(mapping, "context") or ".",
        optional(mapping, "dockerfile"),
        optional(mapping, "dockerfile_inline"),
        optional(mapping, "target"),
        pairs(mapping.get("args")),
        {key: inner for key, inner in mapping.items() if key not in _NAMED},
    )


_NAMED = frozenset({"context", "dockerfile", "dockerfile_inline", "target", "args"})
