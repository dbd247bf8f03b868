"""One module for each kind of data, all with the same interface (`shape.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.backups.engines import configuration, mongodb, postgresql, redis, sqlite, volume

if TYPE_CHECKING:
    from exporter.backups.engines.shape import Engine
    from exporter.backups.subjects import Subject

ENGINES: dict[str, Engine] = {
    "postgresql": postgresql,
    "mongodb": mongodb,
    "redis": redis,
    "sqlite": sqlite,
    "volume": volume,
    "configuration": configuration,
}


def engine_of(subject: Subject) -> Engine:
    """Return the engine of a subject: a store's engine, or that of volumes or the configuration."""
    return ENGINES[subject.engine or subject.kind]
