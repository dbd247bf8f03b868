"""Reports on an unhealthy release: the containers at fault, the output of their health checks, their last log lines."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.host.failures import NotThere, OperationError
from exporter.host.shown import shown, shown_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.host.containers import Container
    from exporter.host.engine import Engine
    from exporter.host.screen import Screen

LOG_LINES = 50
CHECK_LINES = 5


class UnhealthyError(OperationError):
    """The release is not healthy. `containers`: those at fault, as far as known."""

    def __init__(self, why: str, containers: Sequence[Container] = ()) -> None:
        super().__init__(why)
        self.containers = tuple(containers)


def show(screen: Screen, engine: Engine, containers: Iterable[Container]) -> None:
    """Show the state and the last log lines of each container, with control characters escaped."""
    for each in containers:
        with suppress(NotThere):
            now = engine.container(each.id)
            for line in described(now):
                screen.say(line)
            lines = engine.logs(each.id, LOG_LINES)
            name = shown(now.name)
            screen.say(
                f"-- the last {len(lines)} log lines of {name}" if lines else f"-- the log of {name} is empty"
            )
            for line in lines:
                screen.say(f"{name} | {line}")


def described(container: Container) -> list[str]:
    """Return how a container exited, or the last output of its health check."""
    name = shown(container.name)
    if container.error:
        return [f"-- {name} could not be started: {shown(container.error, 500)}"]
    if container.out_of_memory:
        return [f"-- {name} was killed: out of memory"]
    if not container.running and container.state != "created":
        return [
            f"-- {name} exited with status {container.exit_code}, and was restarted {container.restarts} times"
        ]
    answer = shown_lines(container.health_output.encode(), CHECK_LINES)
    if not container.health:
        return []
    said = "; ".join(answer) if answer else "no output"
    return [f"-- {name} is {shown(container.health)}; its health check reports: {said}"]
