"""What a row of the table of metric families says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.metrics.samples import Sampler

T = TypeVar("T")

Kind = Literal["gauge", "counter", "histogram"]

PROTOCOLS = ("http", "tcp", "dns", "icmp", "websocket", "grpc", "postgresql", "redis", "mongodb", "sqlite")
TARGET_LABELS = ("service", "probe", "target")


@dataclass(frozen=True, slots=True)
class Family:
    """A family of a probe's series: `sample` makes its lines of one result."""

    name: str
    kind: Kind
    help: str
    sample: Sampler
    labels: tuple[str, ...] = ()
    """Beside `TARGET_LABELS`."""
    protocols: tuple[str, ...] = PROTOCOLS


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
