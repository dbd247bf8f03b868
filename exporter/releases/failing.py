"""Say why a release is not healthy: the containers to blame, their health check's last answer, their last lines."""

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
    """Raised when a release does not run well. `containers`: those to blame, as far as they are known."""

    def __init__(self, why: str, containers: Sequence[Container] = ()) -> None:
        super().__init__(why)
        self.containers = tuple(containers)


def show(screen: Screen, engine: Engine, containers: Iterable[Container]) -> None:
    """Show what each of them said last. Text of a container comes with control characters escaped."""
    for each in containers:
        with suppress(NotThere):
            now = engine.container(each.id)
            for line in described(now):
                screen.say(line)
            lines = engine.logs(each.id, LOG_LINES)
            name = shown(now.name)
            screen.say(
                f"-- the last {len(lines)} lines of {name}" if lines else f"-- {name} has written nothing"
            )
            for line in lines:
                screen.say(f"{name} | {line}")


def described(container: Container) -> list[str]:
    """Return how a container ended, or what its health check answered last."""
    name = shown(container.name)
    if container.error:
        return [f"-- {name} could not be started: {shown(container.error, 500)}"]
    if container.out_of_memory:
        return [f"-- {name} was killed: out of memory"]
    if not container.running and container.state != "created":
        return [
            f"-- {name} ended with status {container.exit_code}, and was restarted {container.restarts} times"
        ]
    answer = shown_lines(container.health_output.encode(), CHECK_LINES)
    if not container.health:
        return []
    said = "; ".join(answer) if answer else "nothing"
    return [f"-- {name} is {shown(container.health)}; its health check answered: {said}"]
