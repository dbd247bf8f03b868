"""Password changes with each engine's own client in the store's container: one module per engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.secrets.engines import mongodb, postgresql, redis

if TYPE_CHECKING:
    from exporter.secrets.engines.base import StoreEngine

ENGINES: dict[str, StoreEngine] = {
    "postgresql": postgresql.ENGINE,
    "redis": redis.ENGINE,
    "mongodb": mongodb.ENGINE,
}
