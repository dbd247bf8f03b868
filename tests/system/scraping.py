"""A scraper that never pauses, and records the answers and how long they took.

`favoured` gives it and others priority, so that the times are those of the daemon and not of a busy machine.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.daemon.running import RunningDaemon

PAUSE_SECONDS = 0.1

_OF_CONTAINERS = re.compile(r'^container_\w+\{.*\bname="([^"]*)"', re.MULTILINE)
_UP = re.compile(r"^exporter_docker_up (\d)$", re.MULTILINE)


@contextlib.contextmanager
def favoured() -> Iterator[None]:
    """Give priority to threads and processes that this thread starts meanwhile. Needs root."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, -10)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, usual)


@dataclass(frozen=True, slots=True)
class Scrape:
    """A scrape. `took`: seconds. `up`: whether Docker was reachable; None if not exported.
    `containers`: their names."""

    took: float
    up: bool | None
    containers: frozenset[str]


class Scraping:
    """A running scraper, from `with` to its end. `scrapes`: all so far, in order."""

    def __init__(self, daemon: RunningDaemon) -> None:
        self.scrapes: list[Scrape] = []
        self._url = f"{daemon.url}/metrics"
        self._thread = threading.Thread(target=self._run)
        self._ended = threading.Event()
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        with favoured():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(20)
        if self._error is not None:
            raise self._error

    @property
    def last(self) -> Scrape:
        """Return a scrape that started after this call."""
        seen = len(self.scrapes)
        while len(self.scrapes) < seen + 2:
            assert self._thread.is_alive(), self._error
            time.sleep(0.02)
        return self.scrapes[-1]

    def _run(self) -> None:
        try:
            with httpx.Client(timeout=20) as http:
                while not self._ended.wait(PAUSE_SECONDS):
                    began = time.monotonic()
                    text = http.get(self._url).raise_for_status().text
                    took = time.monotonic() - began
                    up = _UP.search(text)
                    names = frozenset(_OF_CONTAINERS.findall(text))
                    self.scrapes.append(Scrape(took, None if up is None else up[1] == "1", names))
        except Exception as error:  # noqa: BLE001 - raised again at the end of the block
            self._error = error
