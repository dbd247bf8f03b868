"""Current and old containers of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.containers.generations import replaced, running
from tests.containers.making import container

if TYPE_CHECKING:
    from exporter.containers.model import Container

Made = tuple[str, str, str | None, float]
"""Name, state, slot, and creation time."""


def made(*several: Made) -> list[Container]:
    return [container(name, state, slot=slot, created=created) for name, state, slot, created in several]


@pytest.mark.parametrize(
    ("replicas", "containers", "old"),
    [
        (1, [], ""),
        (1, [("a", "exited", None, 1)], ""),
        (1, [("a", "exited", None, 1), ("b", "running", None, 2)], "a"),
        (1, [("a", "created", None, 1), ("b", "running", None, 2)], "a"),
        (1, [("a", "dead", None, 1), ("b", "running", None, 2)], "a"),
        (0, [("a", "exited", None, 1), ("b", "running", None, 2)], "a"),
        # A newer container that failed does not replace the older one, which still runs and is not old.
        (1, [("a", "running", None, 1), ("b", "exited", None, 2)], ""),
        (1, [("a", "paused", None, 1), ("b", "running", None, 2)], ""),
        (1, [("a", "restarting", None, 1), ("b", "running", None, 2)], ""),
        (1, [("a", "exited", None, 1), ("b", "exited", None, 2)], "a"),
        (1, [("a", "exited", None, 1), ("b", "created", None, 2)], "a"),
        # One of three exited: the others do not replace it.
        (3, [("a", "exited", "p/web/1", 1), ("b", "running", "p/web/2", 2), ("c", "running", "p/web/3", 3)], ""),
        (3, [("a", "exited", None, 1), ("b", "running", None, 2), ("c", "running", None, 3)], ""),
        (2, [("a", "exited", None, 1), ("b", "running", None, 2), ("c", "running", None, 3)], "a"),
        # A deploy gave new numbers and one new container is missing: the newest old one counts as missing.
        (2, [("a", "exited", "p/web/1", 1), ("b", "exited", "p/web/2", 2), ("c", "running", "p/web/3", 3)], "a"),
        # Swarm keeps five tasks of each replica.
        (1, [*((f"t{n}", "exited", "web/1", n) for n in range(5)), ("now", "running", "web/1", 9)], "t0 t1 t2 t3 t4"),
        (
            2,
            [
                ("a1", "exited", "web/1", 1), ("b1", "exited", "web/2", 1),
                ("a2", "exited", "web/1", 3), ("b2", "running", "web/2", 2),
            ],
            "a1 b1",
        ),
        # After a scale-down the exited tasks of the second replica remain.
        (1, [("a", "running", "web/1", 2), ("b", "exited", "web/2", 1)], "b"),
    ],
)  # fmt: skip
def test_replaced(replicas: int, containers: list[Made], old: str) -> None:
    for each in (made(*containers), made(*reversed(containers))):
        assert {found.rstrip("-") for found in replaced(each, replicas)} == set(old.split())


def test_only_what_is_in_state_running_runs() -> None:
    states = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
    assert running(container(state, state) for state in states) == 1
