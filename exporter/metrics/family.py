"""Types of metric families of the exporter and of items; for probes see `exporter/probes/families.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.probes.families import Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OwnFamily:
    """A family of the exporter itself."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemFamily(Generic[T]):
    """A family of items that are exported as a whole: containers, volumes, backups.

    `sample` returns the samples of one item: the labels added to the item's own, as text that is empty or begins
    with a comma, and the value.
    """

    name: str
    kind: Kind
    help: str
    sample: Callable[[T], Iterable[tuple[str, float]]]
    labels: tuple[str, ...] = ()
    """Labels added to those of the item."""
    from_zero: bool = False
    """A counter whose first sample is 0 if the item was created while it was watched. Prometheus takes the first
    sample of a series as its start: what was counted before it never appears in `increase()`."""
