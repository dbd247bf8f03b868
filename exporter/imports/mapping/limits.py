"""Limits and replicas of a service, in the catalog's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import number_of
from exporter.imports.compose.forms.units import size_bytes
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.values import catalog_text

if TYPE_CHECKING:
    from exporter.imports.compose.forms.service import Service
    from exporter.imports.mapping.draft import Draft

_MOST = 2**40
"""More processors or processes than any machine has; a float may be infinite."""


def limits(service: Service, draft: Draft) -> dict[str, Any]:
    """Return the key `resources`; empty without limits."""
    found: dict[str, Any] = {}
    given = service.resources
    for key, amount in (("cpu", given.cpus), ("memory", given.memory), ("processes", given.pids)):
        if amount is None:
            continue
        path = ("services", service.name, *amount.path)
        value = _limit(key, catalog_text(amount.text)[0] if "$" not in amount.text else "")
        if value is None:
            draft.row(Outcome.LEFT, path, "depends on a variable, or is no limit; write a number")
        else:
            found[key] = _mebibytes(value) if key == "memory" else value
            draft.row(Outcome.CHANGED, path, f"is resources.{key} in the catalog")
    return found


def _limit(key: str, text: str) -> Any:
    try:
        if key == "memory":
            return size_bytes(text)
        number = float(text)
    except ValueError:
        return None
    if not 0 < number < _MOST:
        return None
    return int(number) if key == "processes" or number == int(number) else number


def _mebibytes(size: int) -> int | str:
    return f"{size // 2**20}Mi" if size % 2**20 == 0 else size


def replicas(service: Service, draft: Draft) -> int | None:
    """Return the key `replicas`; None if it says nothing."""
    amount = service.resources.replicas
    if amount is None or amount.text == "1":
        return None
    count = number_of(amount.text) if "$" not in amount.text else None
    if count is None:
        path = ("services", service.name, *amount.path)
        draft.row(Outcome.LEFT, path, "depends on a variable; write replicas")
        return None
    return count
