"""Isolation of failures: an error in one part is logged and counted; page, API and scrape continue without it."""

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
    """A guard against errors that no input should cause. Documented exceptions are handled elsewhere."""

    def __init__(self, own: OwnMetrics | None = None) -> None:
        self._counter = None if own is None else own.internal_errors
        self._told: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def part(self, part: str) -> Iterator[None]:
        """Leave the block if it fails."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts continue
            self._note(part, error)

    def value(self, part: str, make: Callable[[], T]) -> T | None:
        """Return what `make` returns; None if it fails."""
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - as above
            self._note(part, error)
            return None

    def _note(self, part: str, error: Exception) -> None:
        """Count an error. Log its traceback once per kind: a failure at each scrape would fill the log."""
        if self._counter is not None:
            self._counter.labels(part=part).inc()
        kind = part, type(error).__name__
        if kind not in self._told:
            self._told.add(kind)
            log.error(
                "an error in the exporter; the output of its part %s is incomplete", part, exc_info=error
            )
