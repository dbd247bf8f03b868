"""Where one part's failure ends: it is logged and counted, and the page, the API and the scrape go on without it."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.metrics.own import OwnMetrics

PARTS = ("containers", "storage", "exposition", "page")
"""The values of the label `part`."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Guard:
    """For what no input should bring about: a failure that a reader documents is not the guard's business."""

    def __init__(self, own: OwnMetrics | None = None) -> None:
        self._counter = None if own is None else own.internal_errors
        self._told: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def part(self, part: str) -> Iterator[None]:
        """Leave the block when it fails."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts go on
            self._note(part, error)

    def value(self, part: str, make: Callable[[], T]) -> T | None:
        """Return what `make` returns; None if it fails."""
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - as above
            self._note(part, error)
            return None

    def _note(self, part: str, error: Exception) -> None:
        """The traceback once of each kind: a failure at every scrape would fill the log."""
        if self._counter is not None:
            self._counter.labels(part=part).inc()
        kind = part, type(error).__name__
        if kind not in self._told:
            self._told.add(kind)
            log.error("an error in the exporter; %s are shown in part", part, exc_info=error)
