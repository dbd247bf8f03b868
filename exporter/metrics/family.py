"""What a row of the table of metric families says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from exporter.metrics.samples import Sampler

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
