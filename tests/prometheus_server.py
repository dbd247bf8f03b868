"""A real Prometheus, queried over its API."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING, Any

import httpx

from tests.components import require
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)

    def ask(self, expression: str, time: float | None = None) -> dict[str, Any]:
        """Return the complete response to an instant query: `status`, and `data` or `error`."""
        form = {"query": expression} | ({} if time is None else {"time": str(time)})
        answer: dict[str, Any] = self._http.post("/api/v1/query", data=form).json()
        return answer

    def vector(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query, each with `metric` and `value`."""
        answer = self.ask(expression)
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    def values(self, expression: str, by: str = "service") -> dict[str, float]:
        """Return the values of an instant query, keyed by one label."""
        return {row["metric"].get(by, ""): float(row["value"][1]) for row in self.vector(expression)}

    def ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def prometheus(config: Path, storage: Path, *flags: str) -> Iterator[Prometheus]:
    """Run Prometheus with this configuration until the end of the block."""
    port = free_port()
    process = subprocess.Popen(
        [
            require("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={storage}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
            *flags,
        ]
    )
    server = Prometheus(f"http://127.0.0.1:{port}")
    try:
        until(server.ready, "Prometheus", 30)
        yield server
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def prometheus_on(folder: Path, openmetrics: str) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes nothing and holds the samples of a text with timestamps."""
    text, storage, config = folder / "samples.txt", folder / "tsdb", folder / "prometheus.yml"
    text.write_text(openmetrics)
    config.write_text("scrape_configs: []\n")
    subprocess.run(
        [require("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", text, storage],
        check=True,
    )
    # The samples have fixed timestamps, which will be long ago one day.
    with prometheus(config, storage, "--storage.tsdb.retention.time=100y") as server:
        yield server
