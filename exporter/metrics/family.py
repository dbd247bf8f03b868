"""Describe metric families of the exporter and of things; `exporter/probes/families.py` has those of probes."""

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
    """A family of things that are looked at as a whole: containers, volumes, backups.

    `sample` gives the samples of one thing: the labels beside the thing's own, as text that begins with a comma or is
    empty, and the value.
    """

    name: str
    kind: Kind
    help: str
    sample: Callable[[T], Iterable[tuple[str, float]]]
    labels: tuple[str, ...] = ()
    """Beside those of the thing."""
    from_zero: bool = False
    """A counter whose first sample is 0 if the thing came into being while it was watched. Prometheus takes the first
    sample of a series for its beginning: what a counter held by then never shows in `increase()`."""
